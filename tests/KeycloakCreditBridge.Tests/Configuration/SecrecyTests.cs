using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Configuration;

public sealed class SecrecyTests(PostgresFixture postgres)
{
    private const string WebhookSecret = "whsec-7f3a9";
    private const string DatabasePassword = "pgpass-7f3a9";

    [Fact]
    public async Task No_secret_stands_in_any_log_line_at_any_level()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 5);
        await using var bridge = await BridgeFixture.Build(
            fixture.Database,
            fixture.Keycloak,
            ("Intake:Poll:Enabled", "true"),
            ("Reconciliation:Enabled", "true"),
            ("Keycloak:Realms:0:WebhookSecrets:0", WebhookSecret)).StartAsync();
        await Eventually.TrueAsync(async () => (await fixture.AccountsAsync()).Length == 5, "every user has an account");
        await bridge.StopAsync();

        AssertNoSecret(bridge);
    }

    [Fact]
    public async Task No_secret_stands_in_the_errors_of_servers_that_refuse_it()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        var settings = BridgeFixture.Settings("Host=127.0.0.1;Port=9;Database=x;Username=y", fixture.Keycloak.Server.Url);
        await using var bridge = await BridgeFixture.Build(
            settings, ("Storage:Password", DatabasePassword), ("Keycloak:ClientSecret", "not-the-s3cret"),
            ("Intake:Poll:Enabled", "true")).StartAsync();
        using (await bridge.GetAsync("health/ready"))
            await Eventually.TrueAsync(
                () => bridge.Log.All.Any(line => line.Contains("The schema is not ready", StringComparison.Ordinal)), "it complains");
        await bridge.StopAsync();

        AssertNoSecret(bridge);
    }

    private static void AssertNoSecret(BridgeFixture bridge)
    {
        Assert.NotEmpty(bridge.Log.All);
        foreach (var secret in new[] { BridgeFixture.Secret, WebhookSecret, DatabasePassword, "Bearer ey", "access_token\":" })
            Assert.DoesNotContain(bridge.Log.All, line => line.Contains(secret, StringComparison.Ordinal));
    }
}
