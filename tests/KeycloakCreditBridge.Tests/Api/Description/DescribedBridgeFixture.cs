using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Tests.Faults;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Api.Description;

/// <summary>The real executable with a user, an administrator and a gateway, and the document that it answers.</summary>
internal sealed class DescribedBridgeFixture : IAsyncDisposable
{
    public const string Realm = "demo";
    public const string GatewayKey = "key-of-the-gateway-0123456789";
    public const string Referral = "6f0e0d0c-0b0a-4909-8807-060504030201";
    public const string WebhookSecret = "secret-of-the-webhook-0123456789";

    private readonly EmulatedKeycloak _keycloak;
    private readonly TestDatabase _database;
    private readonly BridgeProcess _bridge;

    private DescribedBridgeFixture(EmulatedKeycloak keycloak, TestDatabase database, BridgeProcess bridge, string text)
    {
        (_keycloak, _database, _bridge, Text) = (keycloak, database, bridge, text);
        UserId = EmulatedUser.NewId();
        _keycloak.Realm(Realm).AddUser(new EmulatedUser(UserId, "ana"));
        _keycloak.Realm(Realm).AddUser(new EmulatedUser("the-admin", "the-admin"));
        (UserToken, AdminToken) = (TokenOf(UserId), TokenOf("the-admin", "credits-admin", "credits-service"));
    }

    public Uri Url => _bridge.Url;

    /// <summary>The document as it was answered.</summary>
    public string Text { get; }

    public string UserId { get; }

    public string UserToken { get; }

    public string AdminToken { get; }

    public static async Task<DescribedBridgeFixture> StartAsync(PostgresFixture postgres)
    {
        var token = TestContext.Current.CancellationToken;
        var keycloak = await EmulatedKeycloak.StartAsync(new EmulatorOptions(), token);
        using (var admin = KeycloakAdmin.Of(keycloak))
            await admin.ImportRealmAsync(Realm, DemoRealm.Json(BridgeFixture.Secret, webhooks: false), token);
        var database = await postgres.CreateDatabaseAsync();
        var settings = BridgeFixture.Settings(database.ConnectionString, keycloak.Url);
        settings.Remove("Urls");
        settings["Reconciliation:Enabled"] = "true";
        settings["Metering:ApiKeys:0"] = GatewayKey;
        settings["Metering:Gate:Budget"] = "00:00:30";
        settings["Grants:Tasks:webinar:Evidence:Reported"] = "true";
        settings["Grants:Tasks:webinar:Clients:0"] = "crm";
        settings["Grants:Tasks:webinar:Credits"] = "1";
        settings["Grants:Referrals:ReferrerCredits"] = settings["Grants:Referrals:RefereeCredits"] = "1";
        settings["Grants:Codes:Key"] = new string('k', 32);
        settings["Grants:Codes:FailuresPerUser"] = "100000";
        settings["Keycloak:Realms:0:WebhookSecrets:0"] = WebhookSecret;
        settings["Keycloak:Realms:0:WebhookAuthentication"] = "SharedHeader";
        foreach (var limit in (string[])["PerUser", "PerAddress", "Machines"])
            settings[$"Api:RateLimits:{limit}"] = "100000";
        TestNeeds.Demand(TestNeeds.Programs);
        var bridge = await BridgeProcess.StartAsync(FaultFixture.NewUrl(), settings.ToDictionary(pair => pair.Key, pair => pair.Value!));
        // Its accounts need not be there to be shown.
        await database.ExecuteAsync(
            """
            insert into user_credits (user_id, realm, keycloak_id, credits_remaining, credits_allocated, tier, created_at, updated_at)
            values ('referrer', 'demo', 'referrer', 0, 0, 'trial', now(), now());
            insert into referrals (id, referrer, referee, state, touched_at, evaluated_at)
            values ('6f0e0d0c-0b0a-4909-8807-060504030201', 'referrer', 'referee', 'touched', now(), now());
            insert into grant_holds (id, user_id, grant_key, policy, credits, terms, score, signals, state, held_at, lapse_after, lapses_at)
            values ('6f0e0d0c-0b0a-4909-8807-060504030201', 'referrer', 'welcome', 'welcome', 1, '{}', 40,
                '[{"signal": "same_inbox", "score": 40}]', 'rejected', now(), '1 day', now())
            """);
        using var http = new HttpClient();
        return new DescribedBridgeFixture(
            keycloak, database, bridge, await http.GetStringAsync(new Uri(bridge.Url, "openapi/v1.json"), token));
    }

    public async ValueTask DisposeAsync()
    {
        await _bridge.DisposeAsync();
        await _database.DisposeAsync();
        await _keycloak.DisposeAsync();
    }

    private string TokenOf(string id, params string[] roles) => _keycloak.Realm(Realm).Sign(new JsonObject
    {
        ["iss"] = $"{_keycloak.Url}realms/{Realm}",
        ["aud"] = "credit-bridge",
        ["iat"] = DateTimeOffset.UtcNow.AddSeconds(-1).ToUnixTimeSeconds(),
        ["exp"] = DateTimeOffset.UtcNow.AddMinutes(30).ToUnixTimeSeconds(),
        ["typ"] = "Bearer",
        ["sub"] = id,
        ["jti"] = $"onrtac:{Guid.NewGuid()}",
        ["preferred_username"] = id,
        ["azp"] = "crm",
        ["realm_access"] = new JsonObject { ["roles"] = new JsonArray([.. roles.Select(role => JsonValue.Create(role))]) },
    });
}
