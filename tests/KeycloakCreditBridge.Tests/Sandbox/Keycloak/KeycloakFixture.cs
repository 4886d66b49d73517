using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Keycloak.Servers;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Running;

[assembly: AssemblyFixture(typeof(KeycloakCreditBridge.Tests.Sandbox.Keycloak.KeycloakFixture))]

namespace KeycloakCreditBridge.Tests.Sandbox.Keycloak;

/// <summary>A server that a contract test can run against; the member's name is the name of the test case.</summary>
public enum KeycloakKind
{
    Emulator,
    Emulator26_8,
    Keycloak26_7,
    Keycloak26_0,
}

/// <summary>
/// One server of each kind for the whole test run, started when a test first needs it. Tests share them: each creates its own realm.
/// </summary>
public sealed class KeycloakFixture : IAsyncDisposable
{
    /// <summary>Cheap password hashing, in both spellings that Keycloak has had: the default is slow by design.</summary>
    internal static IReadOnlyDictionary<string, string> CheapPasswords { get; } = new Dictionary<string, string>
    {
        ["KC_SPI_PASSWORD_HASHING__ARGON2__ITERATIONS"] = "1",
        ["KC_SPI_PASSWORD_HASHING__ARGON2__MEMORY"] = "64",
        ["KC_SPI_PASSWORD_HASHING_ARGON2_ITERATIONS"] = "1",
        ["KC_SPI_PASSWORD_HASHING_ARGON2_MEMORY"] = "64",
    };

    private readonly Dictionary<KeycloakKind, Task<IKeycloakServer>> _servers = [];

    /// <summary>Whether the kind runs in this process.</summary>
    internal static bool IsEmulated(KeycloakKind kind) => kind is KeycloakKind.Emulator or KeycloakKind.Emulator26_8;

    /// <summary>The server, started if need be; skips the test when this machine cannot run it.</summary>
    internal Task<IKeycloakServer> GetAsync(KeycloakKind kind)
    {
        if (!IsEmulated(kind))
            TestNeeds.Demand(TestNeeds.Keycloak);
        lock (_servers)
        {
            if (!_servers.TryGetValue(kind, out var server) || server.IsFaulted)
                _servers[kind] = server = StartAsync(kind);
            return server;
        }
    }

    // A server that is still starting is waited for; one that could not start has ended already.
    public async ValueTask DisposeAsync() => await Task.WhenAll(_servers.Values.Select(EndAsync));

    private static async Task EndAsync(Task<IKeycloakServer> starting)
    {
        await ((Task)starting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (starting.IsCompletedSuccessfully)
            await (await starting).DisposeAsync();
    }

    private static async Task<IKeycloakServer> StartAsync(KeycloakKind kind)
    {
        if (IsEmulated(kind))
            return await EmulatedKeycloak.StartAsync(
                new EmulatorOptions(kind == KeycloakKind.Emulator26_8 ? ServerModel.V26_8 : ServerModel.V26_7), CancellationToken.None);
        var prefix = kind == KeycloakKind.Keycloak26_7 ? "26.7." : "26.0.";
        var distribution = KeycloakDistribution.FindAll()
            .FirstOrDefault(found => $"{found.Version}".StartsWith(prefix, StringComparison.Ordinal));
        Assert.SkipUnless(distribution is not null,
            $"Needs a real Keycloak {prefix}x: set KEYCLOAK_DISTRIBUTIONS to a folder with keycloak-{prefix}*.tar.xz and install Java 17 " +
            "or later.");
        // Tests that send no such header see no difference.
        var settings = new Dictionary<string, string>(CheapPasswords) { ["KC_PROXY_HEADERS"] = "xforwarded" };
        return await RealKeycloak.StartAsync(distribution!, CacheFolder.Of("keycloak"), null, CancellationToken.None, settings);
    }
}
