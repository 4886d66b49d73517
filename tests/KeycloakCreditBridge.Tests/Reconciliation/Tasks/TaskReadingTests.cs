using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Reconciliation.Tasks;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Reconciliation.Tasks;

/// <summary>Evidence of tasks that came without an event.</summary>
public sealed class TaskReadingTests(PostgresFixture postgres)
{
    private const string Realm = EmulatorFixture.Realm;
    private const string ReadUser = "GET /admin/realms/{realm}/users/{id}";

    private const string PaidSql =
        "select string_agg(keycloak_id || ' ' || amount, ', ' order by keycloak_id) "
        + "from credit_transactions join user_credits using (user_id) where grant_key = 'task:profile'";

    private static readonly (string, string?)[] Tasks =
    [
        ("Grants:Tasks:profile:Evidence:Profile:0", "company"), ("Grants:Tasks:profile:Credits", "2"),
        ("Grants:Tasks:webinar:Evidence:Reported", "true"), ("Grants:Tasks:webinar:Credits", "3"),
        ("Grants:Tasks:webinar:Clients:0", "crm"),
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_became_true_without_an_event_is_paid_once_and_the_user_is_not_read_again()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 3);
        await using var bridge = BridgeFixture.Build(fixture.Database, fixture.Keycloak, Tasks);
        await ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.AllUsers, null, Token);
        var ids = await fixture.UserIdsAsync();
        SetCompany(fixture, ids[1]);

        var first = await ReadAsync(bridge);
        fixture.Keycloak.Server.Requests.Reset();
        var second = await ReadAsync(bridge);

        Assert.Equal((3, 1, 0), (first!.Users, first.Paid, first.Failed));
        Assert.Equal((2, 0, 0), (second!.Users, second.Paid, second.Failed));
        Assert.Equal(2, fixture.Keycloak.Server.Requests[ReadUser]);
        Assert.Equal($"{ids[1]} 2.000000", await fixture.Database.ScalarAsync<string>(PaidSql));
    }

    [Fact]
    public async Task Accounts_from_before_the_task_and_realms_without_tasks_cost_no_request()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 3);
        await fixture.RunAsync(ReconciliationFixture.AllUsers);
        await using var bridge = BridgeFixture.Build(fixture.Database, fixture.Keycloak, Tasks);
        fixture.Keycloak.Server.Requests.Reset();

        Assert.Equal(0, (await ReadAsync(bridge))!.Users);
        Assert.Equal(0, (await ReadAsync(fixture.Bridge))!.Users);
        Assert.Empty(fixture.Keycloak.Server.Requests.All);
    }

    [Fact]
    public async Task A_dry_run_counts_and_asks_nothing()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 3);
        await using var bridge = BridgeFixture.Build(fixture.Database, fixture.Keycloak, Tasks);
        await ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.AllUsers, null, Token);
        SetCompany(fixture, (await fixture.UserIdsAsync())[0]);
        fixture.Keycloak.Server.Requests.Reset();

        var counts = await ReadAsync(bridge, dryRun: true);

        Assert.Equal((3, 0), (counts!.Users, counts.Paid));
        Assert.Empty(fixture.Keycloak.Server.Requests.All);
        Assert.Null(await fixture.Database.ScalarAsync<string>(PaidSql));
    }

    [Fact]
    public async Task A_stopped_reading_keeps_what_it_paid_and_the_next_one_pays_the_rest()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 3);
        await using var bridge = BridgeFixture.Build(
            fixture.Database, fixture.Keycloak, [.. Tasks, ("Grants:TasksPerSecond", "1")]);
        await ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.AllUsers, null, Token);
        foreach (var id in await fixture.UserIdsAsync())
            SetCompany(fixture, id);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => bridge.Services.GetRequiredService<TaskReading>()
            .RunAsync(Realm, dryRun: false, new Reported(_ => stop.Cancel()), stop.Token));
        Assert.Equal(1, await PaidAsync(fixture));

        List<long> seen = [];
        var rest = await bridge.Services.GetRequiredService<TaskReading>()
            .RunAsync(Realm, dryRun: false, new Reported(counts => seen.Add(counts.Users)), Token);

        Assert.Equal((2, 2), (rest!.Users, rest.Paid));
        Assert.Equal([1, 2], seen);
        Assert.Equal(3, await PaidAsync(fixture));
    }

    [Fact]
    public async Task Only_one_process_reads_a_realm()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        await using var bridge = BridgeFixture.Build(fixture.Database, fixture.Keycloak, Tasks);
        await bridge.Services.GetRequiredService<LeaseStore>().TakeAsync($"tasks:{Realm}", "other", TimeSpan.FromHours(1), Token);

        Assert.Null(await ReadAsync(bridge));
    }

    private static Task<TaskReadingCounts?> ReadAsync(BridgeFixture bridge, bool dryRun = false) =>
        bridge.Services.GetRequiredService<TaskReading>().RunAsync(Realm, dryRun, new Reported(_ => { }), Token);

    private static Task<long> PaidAsync(ReconciliationFixture fixture) =>
        fixture.Database.ScalarAsync<long>("select count(*) from credit_transactions where grant_key = 'task:profile'");

    private static void SetCompany(ReconciliationFixture fixture, string id) => fixture.Realm.ChangeUser(
        id, user => user with { Attributes = new Dictionary<string, IReadOnlyList<string>> { ["company"] = ["Acme"] } });

    private sealed class Reported(Action<TaskReadingCounts> report) : IProgress<TaskReadingCounts>
    {
        public void Report(TaskReadingCounts value) => report(value);
    }
}
