using System.Text.Json;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.Events;
using static KeycloakCreditBridge.Tests.Keycloak.ScriptedKeycloak;

namespace KeycloakCreditBridge.Tests.Keycloak.Admin;

public sealed class WireTests
{
    [Fact]
    public async Task Recorded_users_are_read()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/users?", Says(200, Fixture("keycloak-26.7.3-users-brief.json")));

        var users = await fixture.Client.ListUsersAsync("shop", 20, 10, ClientFixture.Cancellation);

        Assert.Equal("/admin/realms/shop/users?briefRepresentation=true&first=20&max=10", Assert.Single(fixture.Server.Targets));
        Assert.Equal(
            new KeycloakUser("91dc7dff-f3aa-40fb-aeba-f7aaf4f6e4db", "alice", "alice3@example.com", true, false, 1795406370177)
            {
                FirstName = "Alice",
                LastName = "Doe",
            },
            users[0]);
        Assert.Equal(1500000000000, users.Single(user => user.Username == "imported1").CreatedTimestamp);
        Assert.Null(users.Single(user => user.Username == "imported2").Email);
    }

    [Fact]
    public async Task A_user_has_attributes_and_sensible_values_for_what_is_absent()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On(
            "/users/1", Says(200, """{"id":"1","attributes":{"referrer":["a","b"]},"federationLink":"ldap","unknown":{"x":[1]}}"""));

        var user = await fixture.Client.FindUserAsync("shop", "1", ClientFixture.Cancellation);

        Assert.NotNull(user);
        Assert.True(user.Enabled);
        Assert.Null(user.Username);
        Assert.Null(user.CreatedTimestamp);
        Assert.Equal("ldap", user.FederationLink);
        Assert.Equal(["a", "b"], user.Attributes!["referrer"]);
    }

    [Fact]
    public void Recorded_events_are_read()
    {
        var userEvents = JsonSerializer.Deserialize(Fixture("keycloak-26.7.3-events.json"), EventJson.Default.IReadOnlyListUserEvent)!;
        var adminEvents = JsonSerializer.Deserialize(
            Fixture("keycloak-26.7.3-admin-events.json"), EventJson.Default.IReadOnlyListAdminEvent)!;

        var login = userEvents[1];
        Assert.Equal(("LOGIN", 1795406371284, "app", "alice"), (login.Type, login.Time, login.ClientId, login.Details!["username"]));
        Assert.Equal("user_not_found", userEvents.First(found => found.Type == "LOGIN_ERROR" && found.UserId is null).Error);
        Assert.All(userEvents, found => Assert.Equal(found.Id, found.Fingerprint));
        Assert.Contains(
            adminEvents,
            found => found is { ResourceType: "REALM", OperationType: "CREATE" }
                && found.ResourcePath!.StartsWith("users/", StringComparison.Ordinal));
        Assert.Contains(adminEvents, found => found.ResourcePath is null);
    }

    [Fact]
    public async Task Recorded_settings_are_read_and_absent_lists_are_empty()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/events/config", Says(200, Fixture("keycloak-26.7.3-events-config.json")), Says(200, "{}"));

        var config = await fixture.Events.GetConfigAsync("shop", ClientFixture.Cancellation);
        Assert.True(config is { EventsEnabled: true, AdminEventsEnabled: true });
        Assert.Contains("REGISTER", config.EnabledEventTypes);
        Assert.Equal(["jboss-logging", "ext-event-webhook"], config.EventsListeners);

        var empty = await fixture.Events.GetConfigAsync("shop", ClientFixture.Cancellation);
        Assert.False(empty.EventsEnabled);
        Assert.Empty(empty.EnabledEventTypes);
        Assert.Empty(empty.EventsListeners);
    }

    [Fact]
    public void An_event_without_an_id_is_told_apart_by_its_fields()
    {
        var login = new UserEvent(null, 5, "LOGIN", "1", "app", null, new Dictionary<string, string> { ["a"] = "1", ["b"] = "2" });

        Assert.Equal(login.Fingerprint, (login with { Details = new Dictionary<string, string> { ["b"] = "2", ["a"] = "1" } }).Fingerprint);
        Assert.Equal(
            7,
            new[]
            {
                login, login with { Time = 6 }, login with { Type = "LOGOUT" }, login with { UserId = null }, login with { UserId = "" },
                login with { Details = null }, login with { ClientId = null, Error = "app" },
            }.Select(found => found.Fingerprint).Distinct().Count());
        Assert.NotEqual(
            new AdminEvent(null, 5, "CREATE", "USER", "users/1").Fingerprint,
            new AdminEvent(null, 5, "CREATE", "USER", "users/2").Fingerprint);
    }

    [Fact]
    public async Task A_user_is_told_from_a_service_account_by_an_exact_search()
    {
        await using var fixture = await ClientFixture.StartAsync();
        var cancellation = ClientFixture.Cancellation;
        Assert.True(await fixture.Client.IsRegularUserAsync("shop", "alice", cancellation));
        Assert.Empty(fixture.Server.Requests);

        fixture.Server.On("/users?", Says(200, """[{"id":"1","username":"service-account-evil"}]"""));
        Assert.True(await fixture.Client.IsRegularUserAsync("shop", "service-account-evil", cancellation));
        Assert.Contains("search=%22service-account-evil%22", Assert.Single(fixture.Server.Targets), StringComparison.Ordinal);

        fixture.Server.On("/users?", Says(200, """[{"id":"2","username":"bob","email":"service-account-x"}]"""));
        Assert.False(await fixture.Client.IsRegularUserAsync("shop", "service-account-x", cancellation));
    }

    private static string Fixture(string name) => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", name));
}
