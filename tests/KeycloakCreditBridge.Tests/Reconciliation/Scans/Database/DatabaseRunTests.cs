using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans.Database;

/// <summary>A realm that Keycloak's database shows in several parts of 1,000 missing users: what happens to a run between them.</summary>
public sealed class DatabaseRunTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const int Users = 2_500;

    private ReconciliationFixture _fixture = null!;
    private KeycloakTables _tables = null!;
    private BridgeFixture _bridge = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await ReconciliationFixture.StartAsync(postgres, Users);
        _tables = await KeycloakTables.CreateAsync(postgres);
        _bridge = BridgeFixture.Build(_fixture.Database, _fixture.Keycloak, _tables.Setting);
        await _tables.CopyAsync(_fixture.Keycloak);
    }

    public async ValueTask DisposeAsync()
    {
        await _bridge.DisposeAsync();
        await _tables.DisposeAsync();
        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task A_part_that_failed_is_read_again_though_the_part_behind_it_was_done()
    {
        var first = (await _fixture.UserIdsAsync()).Min(StringComparer.Ordinal);
        await _fixture.Database.ExecuteAsync(
            $"""
            create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no memory' using errcode = '53200'; end
                $$;
            create trigger refuse before insert on user_credits for each row when (new.user_id = '{first}') execute function refuse()
            """);
        var failed = await RunAsync();
        Assert.Equal(ReconcileStatus.Failed, failed.Status);
        await _fixture.Database.ExecuteAsync("drop trigger refuse on user_credits");

        var next = await RunAsync();

        Assert.Equal(ReconcileStatus.Done, next.Status);
        await _fixture.AssertAllUsersHaveAccountsAsync();
    }

    [Fact]
    public async Task Users_outside_the_tables_are_asked_for_only_where_the_tables_show_a_federation()
    {
        await RunAsync();
        Assert.Equal(1, await PagesOfANewRunAsync());
        await _tables.GrantAsync("select (realm_id, provider_type)", "component");
        await _tables.ExecuteAsync("insert into component values ('a', 'other-realm', 'org.keycloak.storage.UserStorageProvider')");
        await _tables.ExecuteAsync("insert into component values ('b', 'realm-id', 'org.keycloak.keys.KeyProvider')");
        Assert.Equal(0, await PagesOfANewRunAsync());
        await _tables.ExecuteAsync("insert into component values ('c', 'realm-id', 'org.keycloak.storage.UserStorageProvider')");
        Assert.Equal(1, await PagesOfANewRunAsync());

        async Task<int> PagesOfANewRunAsync()
        {
            _fixture.Keycloak.Server.Requests.Reset();
            Assert.Equal(new ReconcileCounts(Seen: Users), (await RunAsync()).Counts);
            return _fixture.Keycloak.Server.Requests["GET /admin/realms/{realm}/users"];
        }
    }

    [Fact]
    public async Task A_stopped_run_resumes_after_what_it_had_read()
    {
        using var stop = new CancellationTokenSource();
        var stopped = await ReconciliationFixture.RunAsync(_bridge, ReconciliationFixture.By(ReconcileMode.Database), progress =>
        {
            if (progress.Counts.Seen > 0)
                stop.Cancel();
        }, stop.Token);
        Assert.Equal(ReconcileStatus.Stopped, stopped.Status);
        Assert.InRange(stopped.Counts.Seen, 1, Users - 1);

        var continued = await RunAsync();

        Assert.Equal((stopped.RunId, ReconcileStatus.Done), (continued.RunId, continued.Status));
        Assert.Equal(new ReconcileCounts(Seen: Users, Missing: Users, Provisioned: Users), continued.Counts);
        await _fixture.AssertAllUsersHaveAccountsAsync();
    }

    private Task<ReconcileOutcome> RunAsync() =>
        ReconciliationFixture.RunAsync(
            _bridge, ReconciliationFixture.By(ReconcileMode.Database), null, TestContext.Current.CancellationToken);
}
