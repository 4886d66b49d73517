using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Keycloak.Browsers;
using KeycloakCreditBridge.Sandbox.Keycloak.Servers;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Intake;

public sealed class RealIntakeTests(PostgresFixture postgres, KeycloakFixture servers)
{
    private const string HintsSql = "select string_agg(cause || ' ' || source, ', ') from user_hints where keycloak_id = @Id";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(KeycloakKind.Keycloak26_7)]
    [InlineData(KeycloakKind.Keycloak26_0)]
    public async Task Polling_finds_registrations_creations_and_deletions(KeycloakKind kind)
    {
        var server = await servers.GetAsync(kind);
        using var admin = KeycloakAdmin.Of(server);
        var realm = $"polled-{Guid.NewGuid():n}";
        await admin.ImportRealmAsync(realm, DemoRealm.Json("s3cret", server.SendsWebhooks), Token);
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await IntakeFixture.StartAsync(
            database.ConnectionString,
            ("Keycloak:Url", server.Url.AbsoluteUri), ("Keycloak:Realms:0:Name", realm), ("Intake:Poll:Enabled", "true"));

        var registered = await RegisterAsync(server, admin, realm);
        await HintedAsync(database, registered, "REGISTER poll");
        var created = await admin.CreateUserAsync(realm, new SandboxUser("created", "created@example.com"), Token);
        await HintedAsync(database, created, "USER-CREATE poll");
        await admin.DeleteUserAsync(realm, created, Token);
        await HintedAsync(database, created, "USER-DELETE poll");
        Assert.DoesNotContain(
            await database.QueryAsync<string>("select cause from user_hints"), cause =>
                cause.StartsWith("CLIENT_LOGIN", StringComparison.Ordinal));
        await admin.DeleteRealmAsync(realm, Token);
    }

    [Fact, Trait(TestNeeds.Trait, TestNeeds.Keycloak)]
    public async Task The_webhook_of_a_real_server_reports_registrations_creations_and_deletions()
    {
        var server = await servers.GetAsync(KeycloakKind.Keycloak26_7);
        Assert.SkipUnless(server.SendsWebhooks, "Needs Java 21 or later for the webhook plugin.");
        using var admin = KeycloakAdmin.Of(server);
        var realm = $"hooked-{Guid.NewGuid():n}";
        await admin.ImportRealmAsync(realm, DemoRealm.Json("s3cret", webhooks: true), Token);
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await IntakeFixture.StartAsync(database.ConnectionString, ("Keycloak:Realms:0:Name", realm));
        await host.SchemaReadyAsync();
        await admin.CreateWebhookAsync(realm, new Uri(host.Url, $"webhooks/keycloak/{realm}"), Deliveries.Secret, ["*"], Token);

        var registered = await RegisterAsync(server, admin, realm);
        // The plugin keeps no order: the login that follows a registration may be reported before or after it.
        await Eventually.TrueAsync(
            () => database.ScalarAsync<bool>("select exists (select from user_hints where keycloak_id = @Id)", new { Id = registered }),
            "the webhook reported the registration");
        var created = await admin.CreateUserAsync(realm, new SandboxUser("created", "created@example.com"), Token);
        await HintedAsync(database, created, "USER-CREATE webhook");
        await admin.DeleteUserAsync(realm, created, Token);
        await HintedAsync(database, created, "USER-DELETE webhook");
        await admin.DeleteRealmAsync(realm, Token);
    }

    private static async Task<string> RegisterAsync(IKeycloakServer server, KeycloakAdmin admin, string realm)
    {
        await new KeycloakBrowser(server.Url).RegisterAsync(realm, new SandboxUser("ada", "ada@example.com"), Token);
        return (await admin.FindUserAsync(realm, "ada", Token))!["id"]!.GetValue<string>();
    }

    private static Task HintedAsync(TestDatabase database, string userId, string hint) => Eventually.TrueAsync(
        async () => await database.ScalarAsync<string>(HintsSql, new { Id = userId }) == hint, $"the hint of {userId} is '{hint}'");
}
