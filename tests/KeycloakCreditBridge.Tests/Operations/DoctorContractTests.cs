using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Sandbox;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Operations;

public sealed class DoctorContractTests(KeycloakServers servers, PostgresServer postgres)
{
    [Theory, EveryKeycloak]
    public async Task A_realm_that_was_set_up_as_documented_has_nothing_wrong_but_what_never_ran(KeycloakKind kind)
    {
        await using var scene = await ContractScene.CreateAsync(servers, postgres, kind, Hearing.Polling);
        var settings = scene.Settings.ToDictionary(pair => pair.Key, pair => (string?)pair.Value, StringComparer.Ordinal);

        var (exitCode, output, error) = await CommandProcess.RunAsync(settings, "doctor");

        Assert.Equal((0, ""), (exitCode, error));
        var wrong = output
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => !line.StartsWith("ok ", StringComparison.Ordinal))
            // No plugin fits the oldest servers here.
            .Where(line => kind != KeycloakKind.Keycloak26_0 || !line.StartsWith("warn  event listener", StringComparison.Ordinal));
        Assert.StartsWith($"warn  reconciliation of {scene.Realm}: the realm was never reconciled", Assert.Single(wrong), StringComparison.Ordinal);
    }

    [Theory, EveryKeycloak]
    public async Task A_person_is_found_by_address_before_the_bridge_heard_of_them(KeycloakKind kind)
    {
        await using var scene = await ContractScene.CreateAsync(servers, postgres, kind, Hearing.Nothing);
        var ana = await scene.RegisterAsync("ana");
        var settings = scene.Settings.ToDictionary(pair => pair.Key, pair => (string?)pair.Value, StringComparer.Ordinal);

        var (exitCode, output, _) = await CommandProcess.RunAsync(settings, "account", "show", "ana@example.com");

        Assert.Equal(0, exitCode);
        Assert.Contains($"{ana} in realm {scene.Realm}\n", output, StringComparison.Ordinal);
        Assert.Contains("not heard of the user", output, StringComparison.Ordinal);
    }
}
