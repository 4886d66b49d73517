using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;

namespace KeycloakCreditBridge.Tests.Documents.Install;

/// <summary>
/// The demo of docs/install/docker.md without Docker: with settings, secrets, realm and database script of docker-compose.yml.
/// </summary>
[StartsPrograms]
public sealed class ComposePathTests(KeycloakFixture servers)
{
    private const string Realm = "demo";

    private readonly ComposeFile _compose = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(KeycloakKind.Keycloak26_7)]
    public async Task The_two_minutes_of_the_page_lead_to_an_account_and_its_balance(KeycloakKind kind)
    {
        await using var system = await InstallSystem.StartAsync(await servers.GetAsync(kind));
        using var admin = KeycloakAdmin.Of(system.Keycloak);
        var secret = await File.ReadAllTextAsync(_compose.SecretFile("client"), Token);
        var realm = Repository.Read("keycloak-config/demo-realm.json");
        await admin.ImportRealmAsync(
            Realm, realm.Replace("${CREDIT_BRIDGE_CLIENT_SECRET}", secret, StringComparison.Ordinal), Token);
        await ShellText.RunAsync(_compose.CreateDatabase
            .Replace("--username postgres", system.Postgres.PsqlAddress("postgres"), StringComparison.Ordinal)
            .Replace("/run/secrets/database", _compose.SecretFile("database"), StringComparison.Ordinal));
        Assert.False(await system.IsSuperuserAsync("bridge"));

        var settings = Here(system);
        await using var bridge = await BridgeProcess.StartAsync(new Uri($"http://127.0.0.1:{FreePort.Next()}"), settings);
        await system.RegisterAsync(Realm);
        var answer = await ShellText.RunAsync(ShellText.Blocks("docs/install/docker.md")[0]
            .Replace("the password that you chose", InstallSystem.Ana.Password, StringComparison.Ordinal)
            .Replace("http://localhost:8180", settings["Keycloak:PublicUrl"], StringComparison.Ordinal)
            .Replace("http://localhost:8085", bridge.Url.ToString().TrimEnd('/'), StringComparison.Ordinal));

        Assert.Contains("\"balance\": \"5.000000\"", answer, StringComparison.Ordinal);
        foreach (var command in (string[][])[["account", "show", "ana"], ["doctor"]])
        {
            var (exitCode, output, error) = await CommandProcess.RunAsync(Environment(settings, bridge.Url), command);
            Assert.True(exitCode == 0, $"{string.Join(' ', command)} ended with {exitCode}:\n{output}{error}");
        }

        await admin.DeleteRealmAsync(Realm, Token);
    }

    private static Dictionary<string, string?> Environment(Dictionary<string, string> settings, Uri bridge) =>
        new(settings.ToDictionary(pair => pair.Key, string? (pair) => pair.Value)) { ["ASPNETCORE_URLS"] = bridge.ToString() };

    // The same settings with this machine's addresses for the names of containers.
    private Dictionary<string, string> Here(InstallSystem system)
    {
        var settings = _compose.BridgeSettings();
        Replace("Storage:ConnectionString", "Host=postgres", $"Host=127.0.0.1;Port={system.Postgres.Port}");
        Replace("Keycloak:Url", "http://keycloak:8080", system.Keycloak.Url.ToString());
        Replace("Keycloak:PublicUrl", "http://localhost:8180", $"http://localhost:{system.Keycloak.Url.Port}");
        Replace("Management:Url", "9085", $"{FreePort.Next()}");
        return settings;

        void Replace(string key, string name, string address)
        {
            Assert.Contains(name, settings[key], StringComparison.Ordinal);
            settings[key] = settings[key].Replace(name, address, StringComparison.Ordinal);
        }
    }
}
