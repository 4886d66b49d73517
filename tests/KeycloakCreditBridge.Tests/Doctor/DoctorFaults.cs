using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Tests.Doctor;

/// <summary>A fault, by which check doctor finds it, how bad that is, and a part of what it says or of the cure.</summary>
/// <param name="Plant">
/// Changes what Keycloak or the database has, or the settings that doctor is given; returns what repairs it where setup does not.
/// </param>
internal sealed record DoctorFault(string Check, string Verdict, string Says, Func<DoctorFixture, Task<Func<Task>?>> Plant);

/// <summary>The catalogue of faults.</summary>
internal static class DoctorFaults
{
    public static readonly IReadOnlyDictionary<string, DoctorFault> All = new Dictionary<string, DoctorFault>(StringComparer.Ordinal)
    {
        // name = check, verdict, what it says, how it is planted
        ["the client's secret is wrong"] = new("token", "FAIL", "compare Keycloak:ClientSecret", Set("Keycloak:ClientSecret", "wrong")),
        ["the realm is unknown"] = new("token", "FAIL", "correct Keycloak:Realms:0:Name", Set("Keycloak:Realms:0:Name", "nowhere")),
        ["Keycloak is down"] = new("token", "FAIL", "whether Keycloak runs", Set("Keycloak:Url", $"http://127.0.0.1:{FreePort.Next()}")),
        ["the role view-users is missing"] = new("users", "FAIL", "the role view-users", Roles("view-events")),
        ["only users may be queried"] = new("users", "FAIL", "the role view-users", Roles("view-events", "query-users")),
        ["the role view-events is missing"] = new("events", "FAIL", "the role view-events", Roles("view-users")),
        ["user events are off"] = new("events stored", "FAIL", "Save events", Realm("""{"eventsEnabled": false}""")),
        ["admin events are off"] = new("admin events stored", "FAIL", "Save events", Realm("""{"adminEventsEnabled": false}""")),
        ["REGISTER is not stored"] = new(
            "event types", "FAIL", "REGISTER",
            Realm("""{"enabledEventTypes": ["LOGIN", "DELETE_ACCOUNT", "UPDATE_PROFILE", "UPDATE_EMAIL", "VERIFY_EMAIL"]}""")),
        ["events expire before they are polled"] = new(
            "event retention", "FAIL", "Intake:Poll:Overlap", Realm("""{"eventsExpiration": 300}""")),
        ["admin events expire before they are polled"] = new("admin event retention", "FAIL", "setup keycloak", AdminRetentionAsync),
        ["events cannot be read"] = new("events", "FAIL", "KC_SPI_EVENTS_STORE__PROVIDER=jpa", TrapAsync),
        ["the listener is missing"] = new("event listener", "warn", "Event listeners", Realm("""{"eventsListeners": ["jboss-logging"]}""")),
        ["the webhook is missing"] = new("webhook", "warn", "no webhook of the realm", fixture => fixture.DeleteWebhookAsync()),
        ["the webhook is disabled"] = new("webhook", "warn", "is disabled", Webhook(body => body["enabled"] = false)),
        ["the webhook leads elsewhere"] = new(
            "webhook", "warn", "http://127.0.0.1:9/hook", Webhook(body => body["url"] = "http://127.0.0.1:9/hook", leavesIt: true)),
        ["the webhook does not send REGISTER"] = new(
            "webhook", "warn", "access.REGISTER", Webhook(body => body["eventTypes"] = new JsonArray("access.LOGIN", "admin.*"))),
        ["Keycloak signs with another secret"] = new(
            "webhook's secret", "FAIL", "setup keycloak", Webhook(body => body["secret"] = "another")),
        ["the bridge runs with another secret"] = new(
            "webhook delivery", "FAIL", "restart it with the same WebhookSecrets", Set("Keycloak:Realms:0:WebhookSecrets:0", "another")),
        ["Keycloak has another port than the bridge listens on"] = new(
            "bridge address", "warn", "and the bridge listens on http://127.0.0.1:",
            Webhook(
                body => body["url"] = $"http://127.0.0.1:{FreePort.Next()}{new Uri($"{body["url"]}").AbsolutePath}", leavesIt: true,
                noUrl: true)),
        ["no bridge runs"] = new("webhook delivery", "warn", "start it", Set("Intake:Webhook:Url", $"http://127.0.0.1:{FreePort.Next()}")),
        ["users choose their tier themselves"] = new(
            "tier attribute", "FAIL", "only admins edit", Set("Provisioning:TierFrom:Attribute", "firstName")),
        ["users choose their welcome credits themselves"] = new(
            "welcome attributes", "FAIL", "only admins edit",
            Set(
                ("Grants:Welcome:Rules:0:When:Attribute", "firstName=Ana"), ("Grants:Welcome:Rules:0:When:AdministratorsOnly", "true"),
                ("Grants:Welcome:Rules:0:Credits", "20"))),
        ["rules of the welcome ask for what the bridge may not read"] = new(
            "welcome sources", "FAIL", "the role view-events", async fixture =>
            {
                fixture.Settings["Grants:Welcome:Rules:0:When:Client"] = "app";
                fixture.Settings["Grants:Welcome:Rules:0:Credits"] = "20";
                return await Roles("view-users")(fixture);
            }),
        ["users choose their account themselves"] = new(
            "account id attribute", "FAIL", "only admins edit", Set("Provisioning:AccountId", "{attribute:firstName}")),
        ["users rename themselves where account ids are names"] = new(
            "account id settings", "FAIL", "Edit username", SetWithRealm("{username}", """{"editUsernameAllowed": true}""")),
        ["users share addresses where account ids are addresses"] = new(
            "account id settings", "FAIL", "Duplicate emails",
            SetWithRealm("{email}", """{"loginWithEmailAllowed": false, "duplicateEmailsAllowed": true}""")),
        ["the clocks differ"] = new("clock", "FAIL", "NTP", fixture => fixture.ShiftClockAsync(TimeSpan.FromMinutes(10))),
        ["PostgreSQL's clock differs"] = new(
            "database clock", "warn", "s ahead of this one", fixture => fixture.ShiftClockAsync(TimeSpan.FromMinutes(-10))),
        ["the schema is not migrated"] = new("schema", "FAIL", "KeycloakCreditBridge migrate", fixture => fixture.UseEmptyDatabaseAsync()),
        ["a database privilege is missing"] = new("privileges", "FAIL", "insert on user_credits", fixture => fixture.UseWeakRoleAsync()),
        ["replicas run different versions"] = new(
            "replicas", "warn", "finish the rolling update", fixture => fixture.AddOlderReplicaAsync()),
        ["replicas have different settings"] = new(
            "settings of replicas", "warn", "give all of them the same settings", fixture => fixture.AddDifferingReplicasAsync()),
        ["a hint is dead"] = new("dead hints", "FAIL", "hints retry --all-dead", fixture => fixture.AddHintAsync("dead")),
        ["a hint is late"] = new("late hints", "warn", "hints list --waiting", fixture => fixture.AddHintAsync("waiting")),
        ["webhooks fail"] = new("failed webhooks", "warn", "deliveries list --realm", fixture => fixture.AddFailedDeliveryAsync()),
        ["analytics are not rebuilt"] = new(
            "analytics", "warn", "runs its schedule", fixture => fixture.AgeAnalyticsAsync()),
        ["no reconciliation was complete"] = new(
            "reconciliation", "warn", "KeycloakCreditBridge reconcile", fixture => fixture.ForgetRunsAsync()),
    };

    private static Func<DoctorFixture, Task<Func<Task>?>> Set(string key, string value) => Set((key, value));

    private static Func<DoctorFixture, Task<Func<Task>?>> Set(params (string Key, string Value)[] settings) => fixture =>
    {
        foreach (var (key, value) in settings)
            fixture.Settings[key] = value;
        return Task.FromResult<Func<Task>?>(null);
    };

    private static Func<DoctorFixture, Task<Func<Task>?>> Roles(params string[] roles) => async fixture =>
    {
        await fixture.SetRolesAsync(roles);
        return () => fixture.SetRolesAsync(["view-users", "view-events"]);
    };

    private static Func<DoctorFixture, Task<Func<Task>?>> Realm(string change) => async fixture =>
    {
        await fixture.UpdateRealmAsync(JsonNode.Parse(change)!.AsObject());
        return null;
    };

    private static Func<DoctorFixture, Task<Func<Task>?>> SetWithRealm(string template, string change) => async fixture =>
    {
        fixture.Settings["Provisioning:AccountId"] = template;
        await fixture.UpdateRealmAsync(JsonNode.Parse(change)!.AsObject());
        return () => fixture.UpdateRealmAsync(
            new JsonObject { ["editUsernameAllowed"] = false, ["duplicateEmailsAllowed"] = false, ["loginWithEmailAllowed"] = true });
    };

    /// <param name="change">Of what is registered.</param>
    /// <param name="leavesIt">Setup adds another webhook and leaves this one.</param>
    /// <param name="noUrl">The settings do not say where the bridge is.</param>
    private static Func<DoctorFixture, Task<Func<Task>?>> Webhook(
        Action<JsonObject> change, bool leavesIt = false, bool noUrl = false) => async fixture =>
    {
        if (noUrl)
            fixture.Settings["Intake:Webhook:Url"] = "";
        await fixture.ChangeWebhookAsync(change);
        return leavesIt ? () => fixture.DeleteStrayWebhooksAsync() : null;
    };

    private static async Task<Func<Task>?> AdminRetentionAsync(DoctorFixture fixture)
    {
        var attributes = (
            await fixture.Setup.Admin.GetRealmAsync(fixture.Setup.Realm, TestContext.Current.CancellationToken))["attributes"]!.DeepClone();
        attributes["adminEventsExpiration"] = "300";
        await fixture.UpdateRealmAsync(new JsonObject { ["attributes"] = attributes });
        return null;
    }

    private static async Task<Func<Task>?> TrapAsync(DoctorFixture fixture)
    {
        var trap = await EventStoreTrap.StartAsync(fixture.Setup.Server.Url);
        fixture.Settings["Keycloak:Url"] = trap.Url.ToString();
        return async () => await trap.DisposeAsync();
    }
}
