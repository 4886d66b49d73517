using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Setup;

[StartsPrograms]
public sealed class MaskedSecretTests(KeycloakFixture servers, PostgresFixture postgres)
{
    [Fact]
    public async Task A_masked_client_secret_is_not_taken_for_the_secret()
    {
        await using var fixture = await SetupFixture.CreateAsync(servers, postgres, KeycloakKind.Emulator26_8, JsonNode.Parse(
            """
            {
                "clients": [{ "clientId": "auditor", "publicClient": false, "secret": "auditor-zq7w", "serviceAccountsEnabled": true }],
                "users": [{
                    "username": "service-account-auditor", "enabled": true, "serviceAccountClientId": "auditor",
                    "clientRoles": { "realm-management": ["view-clients", "view-users", "manage-realm", "manage-events", "view-events"] }
                }]
            }
            """)!.AsObject());
        await fixture.SetupAsync("--yes");
        var settings = fixture.Settings;
        settings["KEYCLOAK_ADMIN_PASSWORD"] = "auditor-zq7w";

        var (exitCode, output, error) = await CommandProcess.RunAsync(settings, [
            "setup", "keycloak", "--admin-client", "auditor", "--admin-realm", fixture.Realm, "--webhook-url", fixture.BridgeUrl.ToString(),
            "--dry-run"]);

        Assert.Equal((0, ""), (exitCode, error));
        Assert.Contains("! Keycloak masks the secret of client credit-bridge", output, StringComparison.Ordinal);
        Assert.EndsWith("Nothing to do.\n", output, StringComparison.Ordinal);
    }
}
