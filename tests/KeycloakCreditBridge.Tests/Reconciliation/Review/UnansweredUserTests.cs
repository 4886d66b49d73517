using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Review;

/// <summary>Users for which Keycloak answers 500 when it is asked for them by id.</summary>
public sealed class UnansweredUserTests(PostgresFixture postgres)
{
    private static readonly (string Key, string? Value) OnlyCustomers = ("Provisioning:Eligibility:Attribute", "kind=customer");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_user_that_Keycloak_cannot_read_hides_no_user_after_it()
    {
        await using var fixture = await StartAsync();
        var users = await fixture.UserIdsAsync();
        Fail(fixture, users[3]);
        await using var bridge = BridgeFixture.Build(fixture.Database, fixture.Keycloak, OnlyCustomers);

        var outcome = await ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.AllUsers, null, Token);

        Assert.Equal((ReconcileStatus.Done, 1L, 24L), (outcome.Status, outcome.Counts.Failed, outcome.Counts.Provisioned));
        Assert.Contains(users[3], Assert.Single(outcome.Problems), StringComparison.Ordinal);
        fixture.Keycloak.Server.Faults.Reset();
        Assert.Equal(1, (await ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.AllUsers, null, Token)).Counts.Provisioned);
    }

    [Fact]
    public async Task A_missing_user_that_Keycloak_cannot_read_keeps_no_other_open()
    {
        await using var fixture = await StartAsync();
        await fixture.RunAsync(ReconciliationFixture.AllUsers);
        var deleted = (await fixture.UserIdsAsync())[..3];
        foreach (var id in deleted)
            fixture.Realm.RemoveUser(id);
        Fail(fixture, deleted[0]);

        var outcome = await fixture.RunAsync(ReconciliationFixture.AllUsers with { AllowClosing = 3 });

        Assert.Equal((ReconcileStatus.Done, 2L, 1L), (outcome.Status, outcome.Counts.Closed, outcome.Counts.Failed));
        Assert.Equal(
            deleted[1..].Order(StringComparer.Ordinal),
            await fixture.Database.QueryAsync<string>("select user_id from user_credits where status = 'closed' order by 1"));
    }

    [Fact]
    public async Task A_user_without_a_creation_time_that_Keycloak_cannot_read_hides_no_other()
    {
        await using var fixture = await StartAsync();
        foreach (var id in (string[])["no-date-1", "no-date-2", "no-date-3"])
            fixture.Realm.AddUser(new EmulatedUser(id, id));
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        Fail(fixture, "no-date-1");
        fixture.Realm.ChangeUser("no-date-3", user => user with { Enabled = false });

        var outcome = await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));

        Assert.Equal((ReconcileStatus.Done, 1L, 0L), (outcome.Status, outcome.Counts.Failed, outcome.Counts.NotShown));
        Assert.Equal(["no-date-3"], await fixture.Database.QueryAsync<string>("select user_id from user_credits where status = 'held'"));
    }

    [Fact]
    public async Task A_Keycloak_that_reads_no_user_fails_the_run_at_its_position()
    {
        await using var fixture = await StartAsync();
        await using var bridge = BridgeFixture.Build(fixture.Database, fixture.Keycloak, OnlyCustomers);
        var failed = await ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.AllUsers, progress =>
        {
            if (progress.Counts.Seen > 0)
                Fail(fixture, "*");
        }, Token);
        Assert.Equal((ReconcileStatus.Failed, 0L, 10L), (failed.Status, failed.Counts.Failed, failed.Counts.Provisioned));
        fixture.Keycloak.Server.Faults.Reset();

        var next = await ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.AllUsers, null, Token);

        Assert.Equal((failed.RunId, ReconcileStatus.Done, 25L), (next.RunId, next.Status, next.Counts.Provisioned));
    }

    private static void Fail(ReconciliationFixture fixture, string user) =>
        fixture.Keycloak.Server.Faults.Fail($"/{EmulatorFixture.Users}/{user}", int.MaxValue, 500);

    private async Task<ReconciliationFixture> StartAsync()
    {
        var fixture = await ReconciliationFixture.StartAsync(postgres);
        for (var number = 0; number < 25; number++)
        {
            fixture.Realm.AddUser(new EmulatedUser($"user-{number:D2}", $"user-{number:D2}")
            {
                CreatedTimestamp = 1_500_000_000_000 + number,
                Attributes = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal) { ["kind"] = ["customer"] },
            });
        }

        return fixture;
    }
}
