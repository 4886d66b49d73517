using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Intake.Polling;

public sealed class EventPollerTests(PostgresFixture postgres) : IAsyncLifetime
{
    private TestDatabase _database = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _database = await postgres.CreateDatabaseAsync();

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Theory]
    [InlineData("V26_7")]
    [InlineData("V26_2")]
    [InlineData("V26_0")]
    public async Task New_users_are_found_in_both_streams_of_every_server(string model)
    {
        await using var keycloak = await StartKeycloakAsync(Enum.Parse<ServerModel>(model));
        await using var host = await StartAsync(keycloak);
        using var admin = KeycloakAdmin.Of(keycloak);
        var ada = await admin.CreateUserAsync("demo", new SandboxUser("ada", "ada@example.com"), Token);
        await keycloak.Realm("demo").RaiseAsync("REGISTER", Add(keycloak, "bob"));
        await HintedAsync(ada, "bob");
        await Eventually.TrueAsync(
            async () => await _database.ScalarAsync<int>("select count(*)::int from poll_cursors") == 2, "both streams have a cursor");
    }

    [Fact]
    public async Task A_stream_that_cannot_be_read_does_not_hide_the_other()
    {
        await using var keycloak = await StartKeycloakAsync();
        keycloak.Faults.Fail("/admin/realms/demo/events?dateFrom*", 1_000, 403);
        await using var host = await StartAsync(keycloak);
        using var admin = KeycloakAdmin.Of(keycloak);
        await HintedAsync(await admin.CreateUserAsync("demo", new SandboxUser("ada", "ada@example.com"), Token));
        await Eventually.TrueAsync(() => host.Polling.Error is not null, "the other one is known to fail");
    }

    [Theory]
    [InlineData("V26_7", 5)]
    [InlineData("V26_7", -5)]
    [InlineData("V26_0", 5)]
    public async Task A_Keycloak_clock_that_is_minutes_off_hides_no_user(string model, int minutesAhead)
    {
        await using var keycloak = await StartKeycloakAsync(Enum.Parse<ServerModel>(model));
        keycloak.Faults.ClockOffset = TimeSpan.FromMinutes(minutesAhead);
        await keycloak.Realm("demo").LoginAsync(Add(keycloak, "ada"));
        await using var host = await StartAsync(keycloak);
        await HintedAsync("ada");
        await keycloak.Realm("demo").LoginAsync(Add(keycloak, "bob"));
        await HintedAsync("bob");
        keycloak.Faults.ClockOffset = TimeSpan.Zero;
        await keycloak.Realm("demo").LoginAsync(Add(keycloak, "eve"));
        await HintedAsync("eve");
    }

    [Fact]
    public async Task A_user_whose_transaction_took_minutes_is_found()
    {
        await using var keycloak = await StartKeycloakAsync();
        await using var host = await StartAsync(keycloak);
        await keycloak.Realm("demo").LoginAsync(Add(keycloak, "ada"));
        await HintedAsync("ada");
        await keycloak.Realm("demo").RaiseAsync("REGISTER", Add(keycloak, "late"), at: DateTimeOffset.UtcNow.AddMinutes(-4));
        await HintedAsync("late");
    }

    [Fact]
    public async Task One_replica_polls_and_another_takes_over_when_it_stops()
    {
        await using var keycloak = await StartKeycloakAsync();
        var first = await StartAsync(keycloak);
        await Eventually.TrueAsync(() => first.Polling.LastPoll is not null, "the first replica polls");
        await using var second = await StartAsync(keycloak);
        await keycloak.Realm("demo").LoginAsync(Add(keycloak, "ada"));
        await HintedAsync("ada");
        Assert.False(second.Polling.IsPolling);

        await first.DisposeAsync();
        await keycloak.Realm("demo").LoginAsync(Add(keycloak, "bob"));
        await HintedAsync("bob");
        await Eventually.TrueAsync(() => second.Polling.IsPolling, "the second replica polls");
    }

    [Fact]
    public async Task A_replica_that_died_is_replaced_when_its_lease_ends()
    {
        await using var keycloak = await StartKeycloakAsync();
        await _database.ExecuteAsync(
            "insert into leases (name, owner, held_until) values ('poll:demo', 'dead', @Until)",
            new { Until = DateTimeOffset.UtcNow.AddSeconds(2) });
        await using var host = await StartAsync(keycloak);
        await keycloak.Realm("demo").LoginAsync(Add(keycloak, "ada"));
        await HintedAsync("ada");
        Assert.NotEqual("dead", await _database.ScalarAsync<string>("select owner from leases where name = 'poll:demo'"));
    }

    [Fact]
    public async Task Events_that_are_switched_off_and_on_again_are_noticed_each_once()
    {
        await using var keycloak = await StartKeycloakAsync();
        using var admin = KeycloakAdmin.Of(keycloak);
        await using var host = await StartAsync(keycloak);
        await Eventually.TrueAsync(() => host.Polling is { UserEventsStored: true, AdminEventsStored: true }, "both streams are stored");

        var config = await admin.GetEventsConfigAsync("demo", Token);
        await SwitchAsync(admin, config, on: false);
        await Eventually.TrueAsync(() => host.Polling is { UserEventsStored: false, AdminEventsStored: true }, "events are off");
        await SwitchAsync(admin, config, on: true);
        await Eventually.TrueAsync(() => host.Polling is { UserEventsStored: true, Losses: 2 }, "events are on");
        Assert.Equal(["user-events are not stored", "user-events were not stored for a while"], Reasons(host));
        Assert.Equal([220, 221], host.LogIds.Where(id => id is >= 220 and < 230));
    }

    [Fact]
    public async Task Wiped_events_ask_for_a_reconciliation()
    {
        await using var keycloak = await StartKeycloakAsync();
        await using var host = await StartAsync(keycloak);
        await keycloak.Realm("demo").LoginAsync(Add(keycloak, "ada"));
        await HintedAsync("ada");
        keycloak.Realm("demo").WipeEvents();
        await Eventually.TrueAsync(() => host.Polling.Losses > 0, "the loss is noticed");
        Assert.Contains("user-events were wiped or expired before they were read", Reasons(host));
    }

    [Fact]
    public async Task A_server_that_fails_is_logged_once_and_polled_again_when_it_works()
    {
        await using var keycloak = await StartKeycloakAsync();
        await using var host = await StartAsync(keycloak);
        await Eventually.TrueAsync(() => host.Polling.LastPoll is not null, "polling works");
        keycloak.Faults.Fail("/admin/realms/demo/events*", 1_000, 403);
        await Eventually.TrueAsync(() => host.Polling.Error is not null, "polling fails");
        keycloak.Faults.Reset();
        await keycloak.Realm("demo").LoginAsync(Add(keycloak, "ada"));
        await HintedAsync("ada");
        await Eventually.TrueAsync(() => host.LogIds.Contains(211), "polling works again");
        Assert.Null(host.Polling.Error);
        Assert.Equal([210, 211], host.LogIds.Where(id => id is >= 210 and < 220));
    }

    private static async Task<EmulatedKeycloak> StartKeycloakAsync(ServerModel model = ServerModel.V26_7)
    {
        var keycloak = await EmulatedKeycloak.StartAsync(new EmulatorOptions(model), Token);
        using var admin = KeycloakAdmin.Of(keycloak);
        await admin.ImportRealmAsync("demo", DemoRealm.Json("s3cret", webhooks: true), Token);
        return keycloak;
    }

    private Task<IntakeFixture> StartAsync(EmulatedKeycloak keycloak) => IntakeFixture.StartAsync(
        _database.ConnectionString,
        ("Keycloak:Url", keycloak.Url.AbsoluteUri),
        ("Intake:Poll:Enabled", "true"),
        ("Intake:Poll:IdleInterval", "00:00:00.2"),
        ("Intake:Poll:BusyInterval", "00:00:00.1"),
        ("Intake:Poll:SweepInterval", "00:00:00.5"));

    private static string Add(EmulatedKeycloak keycloak, string username)
    {
        keycloak.Realm("demo").AddUser(new EmulatedUser(username, username));
        return username;
    }

    private Task HintedAsync(params string[] userIds) => Eventually.TrueAsync(
        async () => userIds.Length == await _database.ScalarAsync<int>(
            "select count(*)::int from user_hints where source = 'poll' and keycloak_id = any(@Ids)", new { Ids = userIds }),
        $"polling found {string.Join(" and ", userIds)}");

    private static Task SwitchAsync(KeycloakAdmin admin, JsonObject config, bool on)
    {
        config["eventsEnabled"] = on;
        return admin.UpdateEventsConfigAsync("demo", config, Token);
    }

    private static List<string> Reasons(IntakeFixture host)
    {
        List<string> reasons = [];
        while (host.Requests.Reader.TryRead(out var request))
            reasons.Add(request.Reason);
        return reasons;
    }
}
