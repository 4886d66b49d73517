using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans.OutsideCreatedWindows;

/// <summary>Users that no created window shows: without a usable creation time, or of a federation.</summary>
public sealed class OutsideCreatedWindowsTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const int Users = 30;
    private const string UsersPath = $"/{EmulatorFixture.Users}";
    private const string List = "GET /admin/realms/{realm}/users";

    private ReconciliationFixture _fixture = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await ReconciliationFixture.StartAsync(postgres, Users);
        _fixture.Realm.AddUser(new EmulatedUser("no-date", "no-date"));
        await RunAsync(ReconcileMode.Windows);
    }

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Fact]
    public async Task A_user_disabled_without_an_event_is_held_by_windows()
    {
        _fixture.Realm.ChangeUser("no-date", user => user with { Enabled = false });
        var outcome = await RunAsync(ReconcileMode.Windows);
        Assert.Equal("held", await StatusAsync("no-date"));
        Assert.Equal(Users + 1, outcome.Counts.Seen);
    }

    [Fact]
    public async Task A_created_and_a_deleted_user_do_not_hide_each_other()
    {
        _fixture.Realm.RemoveUser("no-date");
        _fixture.Realm.AddUser(new EmulatedUser("no-date-2", "no-date-2"));
        var outcome = await RunAsync(ReconcileMode.Windows);
        Assert.Equal((1L, 1L), (outcome.Counts.Closed, outcome.Counts.Provisioned));
        Assert.Equal(("closed", "active"), (await StatusAsync("no-date"), await StatusAsync("no-date-2")));
    }

    [Fact]
    public async Task They_do_not_hide_each_other_where_counts_have_a_user_that_no_list_shows()
    {
        _fixture.Realm.AddUser(new EmulatedUser("hidden", "hidden"));
        _fixture.Realm.HideFromLists("hidden");
        await RunAsync(ReconcileMode.Windows);
        _fixture.Realm.RemoveUser("no-date");
        _fixture.Realm.AddUser(new EmulatedUser("no-date-2", "no-date-2"));

        await RunAsync(ReconcileMode.Windows);

        Assert.Equal(("closed", "active"), (await StatusAsync("no-date"), await StatusAsync("no-date-2")));
    }

    [Fact]
    public async Task Counts_close_a_deleted_user_without_a_list()
    {
        _fixture.Realm.RemoveUser("no-date");
        _fixture.Keycloak.Server.Requests.Reset();
        Assert.Equal(1, (await RunAsync(ReconcileMode.Counts)).Counts.Closed);
        Assert.Equal(0, _fixture.Keycloak.Server.Requests[List]);
        Assert.Equal(new ReconcileCounts(), (await RunAsync(ReconcileMode.Counts)).Counts);
    }

    [Fact]
    public async Task A_user_that_cannot_be_read_does_not_make_each_count_list_the_realm()
    {
        string[] deleted = [.. Enumerable.Range(0, 5).Select(number => $"deleted-{number}")];
        foreach (var id in deleted)
            _fixture.Realm.AddUser(new EmulatedUser(id, id));
        await RunAsync(ReconcileMode.Windows);
        foreach (var id in deleted)
            _fixture.Realm.RemoveUser(id);
        Assert.True((await RunAsync(ReconcileMode.Counts)).NeedsOperator);
        _fixture.Keycloak.Server.Requests.Reset();

        Assert.Equal(ReconcileStatus.Done, (await RunAsync(ReconcileMode.Counts)).Status);
        Assert.Equal(0, _fixture.Keycloak.Server.Requests[List]);

        // A new user among them is found all the same, and so are they when an operator allows it.
        _fixture.Realm.AddUser(new EmulatedUser("no-date-2", "no-date-2"));
        await RunAsync(ReconcileMode.Counts);
        Assert.Equal("active", await StatusAsync("no-date-2"));
        var allowed = await _fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts) with { AllowClosing = 5 });
        Assert.Equal(5, allowed.Counts.Closed);
    }

    [Fact]
    public async Task A_creation_time_that_Keycloak_learns_later_is_recorded_once()
    {
        _fixture.Realm.ChangeUser("no-date", user => user with { CreatedTimestamp = 1_500_000_000_000 });
        await RunAsync(ReconcileMode.Counts);
        _fixture.Keycloak.Server.Requests.Reset();

        Assert.Equal(new ReconcileCounts(), (await RunAsync(ReconcileMode.Counts)).Counts);

        Assert.Equal(0, _fixture.Keycloak.Server.Requests[List]);
        Assert.Equal(
            1_500_000_000,
            await _fixture.Database.ScalarAsync<long>(
                "select extract(epoch from created_at)::bigint from keycloak_users where keycloak_id = 'no-date'"));
    }

    [Fact]
    public async Task A_creation_time_beyond_the_calendar_is_counted_as_Keycloak_counts_it()
    {
        for (var number = 0; number < 40; number++)
            _fixture.Realm.AddUser(
                new EmulatedUser(
                    $"absurd-{number}", $"absurd-{number}") { CreatedTimestamp = long.MaxValue - (number * 100_000_000_000_000L) });
        Assert.Equal(40, (await RunAsync(ReconcileMode.Counts)).Counts.Provisioned);
        _fixture.Keycloak.Server.Requests.Reset();

        Assert.Equal(new ReconcileCounts(), (await RunAsync(ReconcileMode.Counts)).Counts);
        Assert.Equal(0, _fixture.Keycloak.Server.Requests[List]);

        var windows = await RunAsync(ReconcileMode.Windows);
        Assert.Equal((0L, Users + 41L), (windows.Counts.NotShown, windows.Counts.Seen));
        _fixture.Realm.RemoveUser("absurd-7");
        Assert.Equal(1, (await RunAsync(ReconcileMode.Counts)).Counts.Closed);
    }

    [Fact]
    public async Task A_user_that_registers_between_count_and_list_is_not_taken_for_a_federation()
    {
        _fixture.Keycloak.Server.Faults.RunBefore($"{UsersPath}?briefRepresentation=true&first={Users + 1}&max=*", 1, () =>
            _fixture.Realm.AddUser(
                new EmulatedUser("newest", "newest") { CreatedTimestamp = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() }));
        var outcome = await RunAsync(ReconcileMode.Windows);
        Assert.Equal(ReconcileStatus.Done, outcome.Status);
        Assert.Contains("newest", await _fixture.UserIdsAsync());
        Assert.False(_fixture.Bridge.Log.Says(" 543 "));
    }

    [Theory]
    [InlineData("f:component:ana")]
    [InlineData("ana")]
    public async Task Federated_users_are_found_after_a_user_that_registers_meanwhile(string id)
    {
        _fixture.Realm.AddToDirectory(new EmulatedUser(id, "ana"));
        _fixture.Keycloak.Server.Faults.RunBefore($"{UsersPath}?briefRepresentation=true&first={Users + 1}&max=*", 1, () =>
            _fixture.Realm.AddUser(
                new EmulatedUser("newest", "newest") { CreatedTimestamp = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() }));
        await RunAsync(ReconcileMode.Windows);
        Assert.Equal("active", await StatusAsync(id));
    }

    private Task<ReconcileOutcome> RunAsync(ReconcileMode mode) => _fixture.RunAsync(ReconciliationFixture.By(mode));

    private Task<string?> StatusAsync(string id) =>
        _fixture.Database.ScalarAsync<string>("select status from user_credits where user_id = @id", new { id });
}
