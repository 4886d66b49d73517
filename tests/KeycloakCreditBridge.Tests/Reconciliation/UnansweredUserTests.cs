using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Sandbox;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation;

/// <summary>Users for whom Keycloak answers 500 when it is asked for them by id.</summary>
public sealed class UnansweredUserTests(PostgresServer postgres)
{
    private static readonly (string Key, string? Value) OnlyCustomers = ("Provisioning:Eligibility:Attribute", "kind=customer");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_user_that_Keycloak_cannot_answer_for_hides_nobody_behind()
    {
        await using var bundle = await StartAsync();
        var people = await bundle.PeopleAsync();
        Fail(bundle, people[3]);
        await using var bridge = BridgeHost.Build(bundle.Database, bundle.Keycloak, OnlyCustomers);

        var outcome = await ReconcileBundle.RunAsync(bridge, ReconcileBundle.Everybody, null, Token);

        Assert.Equal((ReconcileStatus.Done, 1L, 24L), (outcome.Status, outcome.Counts.Failed, outcome.Counts.Provisioned));
        Assert.Contains(people[3], Assert.Single(outcome.Problems), StringComparison.Ordinal);
        bundle.Keycloak.Server.Misbehaviour.Reset();
        Assert.Equal(1, (await ReconcileBundle.RunAsync(bridge, ReconcileBundle.Everybody, null, Token)).Counts.Provisioned);
    }

    [Fact]
    public async Task A_user_who_was_not_shown_and_cannot_be_asked_for_keeps_nobody_else_open()
    {
        await using var bundle = await StartAsync();
        await bundle.RunAsync(ReconcileBundle.Everybody);
        var gone = (await bundle.PeopleAsync())[..3];
        foreach (var id in gone)
            bundle.Realm.RemoveUser(id);
        Fail(bundle, gone[0]);

        var outcome = await bundle.RunAsync(ReconcileBundle.Everybody with { AllowClosing = 3 });

        Assert.Equal((ReconcileStatus.Done, 2L, 1L), (outcome.Status, outcome.Counts.Closed, outcome.Counts.Failed));
        Assert.Equal(gone[1..].Order(StringComparer.Ordinal), await bundle.Database.QueryAsync<string>("select user_id from user_credits where status = 'closed' order by 1"));
    }

    [Fact]
    public async Task A_user_without_a_creation_who_cannot_be_asked_for_hides_no_other()
    {
        await using var bundle = await StartAsync();
        foreach (var id in (string[])["undated-1", "undated-2", "undated-3"])
            bundle.Realm.AddUser(new EmulatedUser(id, id));
        await bundle.RunAsync(ReconcileBundle.By(ReconcileMode.Windows));
        Fail(bundle, "undated-1");
        bundle.Realm.ChangeUser("undated-3", user => user with { Enabled = false });

        var outcome = await bundle.RunAsync(ReconcileBundle.By(ReconcileMode.Windows));

        Assert.Equal((ReconcileStatus.Done, 1L, 0L), (outcome.Status, outcome.Counts.Failed, outcome.Counts.Gone));
        Assert.Equal(["undated-3"], await bundle.Database.QueryAsync<string>("select user_id from user_credits where status = 'held'"));
    }

    [Fact]
    public async Task A_Keycloak_that_answers_for_nobody_fails_the_run_at_its_place()
    {
        await using var bundle = await StartAsync();
        await using var bridge = BridgeHost.Build(bundle.Database, bundle.Keycloak, OnlyCustomers);
        var failed = await ReconcileBundle.RunAsync(bridge, ReconcileBundle.Everybody, progress =>
        {
            if (progress.Counts.Seen > 0)
                Fail(bundle, "*");
        }, Token);
        Assert.Equal((ReconcileStatus.Failed, 0L, 10L), (failed.Status, failed.Counts.Failed, failed.Counts.Provisioned));
        bundle.Keycloak.Server.Misbehaviour.Reset();

        var next = await ReconcileBundle.RunAsync(bridge, ReconcileBundle.Everybody, null, Token);

        Assert.Equal((failed.RunId, ReconcileStatus.Done, 25L), (next.RunId, next.Status, next.Counts.Provisioned));
    }

    private static void Fail(ReconcileBundle bundle, string user) =>
        bundle.Keycloak.Server.Misbehaviour.Fail($"/{EmulatorDriver.Users}/{user}", int.MaxValue, 500);

    private async Task<ReconcileBundle> StartAsync()
    {
        var bundle = await ReconcileBundle.StartAsync(postgres);
        for (var number = 0; number < 25; number++)
        {
            bundle.Realm.AddUser(new EmulatedUser($"user-{number:D2}", $"user-{number:D2}")
            {
                CreatedTimestamp = 1_500_000_000_000 + number,
                Attributes = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal) { ["kind"] = ["customer"] },
            });
        }

        return bundle;
    }
}
