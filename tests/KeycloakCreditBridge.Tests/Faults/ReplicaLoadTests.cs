using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Provisioning;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Running;

namespace KeycloakCreditBridge.Tests.Faults;

/// <summary>Several real executables on one database: one is killed, or all are at work at once.</summary>
[StartsPrograms]
public sealed class ReplicaLoadTests
{
    private const string DeductSql =
        """
        with charged as (
            update user_credits set credits_remaining = credits_remaining - 0.01, updated_at = now()
            where user_id = @User
            returning user_id, credits_remaining)
        insert into credit_transactions (user_id, amount, balance_after, transaction_type)
        select user_id, -0.01, credits_remaining, 'usage' from charged
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_poller_and_the_scans_move_to_another_replica_when_theirs_is_killed()
    {
        await using var fixture = await FaultFixture.CreateAsync();
        var settings = new Dictionary<string, string>(fixture.Settings, StringComparer.Ordinal)
        {
            ["Intake:Poll:IdleInterval"] = "00:00:01",
            ["Reconciliation:Cron"] = "0/2 * * * * ?",
        };
        await using var killed = await BridgeProcess.StartAsync(fixture.BridgeUrl, settings);
        await Eventually.TrueAsync(async () => await fixture.CountAsync("leases where name = 'poll:demo'") == 1, "the first one polls");
        var killedOwner = await fixture.Database.ScalarAsync<string>("select owner from leases where name = 'poll:demo'");
        await Eventually.TrueAsync(
            async () => await fixture.CountAsync("reconcile_runs where status = 'done'") > 0, "the first one reconciles");
        fixture.Keycloak.Faults.Hang("/admin/realms/demo/users/count", 1);
        await Eventually.TrueAsync(
            async () => await fixture.CountAsync("reconcile_runs where status = 'running'") == 1, "it is in the middle of a run");
        await using var other = await BridgeProcess.StartAsync(FaultFixture.NewUrl(), settings);
        await killed.KillAsync();
        var killedAt = DateTimeOffset.UtcNow;
        // Its webhook goes to no bridge.
        var ana = await fixture.CreateUserAsync("ana");

        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>(
                "select owner <> @KilledOwner from leases where name = 'poll:demo'", new { KilledOwner = killedOwner }),
            "the other polls");
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>("select exists (select from user_credits where user_id = @User)", new { User = ana }),
            "ana has an account");
        await Eventually.TrueAsync(
            async () => await fixture.Database.ScalarAsync<bool>(
                "select exists (select from reconcile_runs where status = 'done' and ended_at > @KilledAt)", new { KilledAt = killedAt }),
            "the other reconciles");
        Assert.InRange(DateTimeOffset.UtcNow - killedAt, TimeSpan.Zero, TimeSpan.FromSeconds(35));
    }

    [Fact]
    public async Task Four_replicas_under_full_load_meet_in_no_deadlock()
    {
        const int Users = 1_000;
        await using var fixture = await FaultFixture.CreateAsync();
        var settings = new Dictionary<string, string>(fixture.Settings, StringComparer.Ordinal)
        {
            ["Intake:Poll:IdleInterval"] = "00:00:01",
            ["Reconciliation:WindowUsers"] = "200",
        };
        var users = Enumerable.Range(0, Users).Select(_ => EmulatedUser.NewId()).ToArray();
        // Every event is sent to the first one, and to another by its type.
        string[] types = ["REGISTER", "UPDATE_PROFILE", "LOGIN"];
        var urls = types.ToDictionary(type => type, _ => FaultFixture.NewUrl());
        foreach (var (type, url) in urls)
            await fixture.Admin.CreateWebhookAsync(
                FaultFixture.Realm, new Uri(url, "webhooks/keycloak/demo"), FaultFixture.Secret, [$"access.{type}"], Token);
        await using var first = await BridgeProcess.StartAsync(fixture.BridgeUrl, settings);
        await using var second = await BridgeProcess.StartAsync(urls[types[0]], settings);
        await using var third = await BridgeProcess.StartAsync(urls[types[1]], settings);
        await using var fourth = await BridgeProcess.StartAsync(urls[types[2]], settings);
        using var over = new CancellationTokenSource();
        var busy = new[]
        {
            ReconcileAsync(settings, new(FaultFixture.Realm, RunTriggers.Command, Mode: ReconcileMode.List), over.Token),
            ReconcileAsync(
                settings, new(FaultFixture.Realm, RunTriggers.Command, Mode: ReconcileMode.Windows, ReEvaluate: true), over.Token),
            ReconcileAsync(settings, new(FaultFixture.Realm, RunTriggers.Command, Mode: ReconcileMode.Counts), over.Token),
            DeductAsync(fixture, users, over.Token),
            DeductAsync(fixture, users, over.Token),
        };
        await RaiseAsync(fixture, types, users);
        await Eventually.TrueAsync(
            async () => await fixture.AccountsAsync() == Users && await fixture.HintsAsync() == 0, "every user has an account");
        await over.CancelAsync();
        var done = await Task.WhenAll(busy);
        Assert.All(done, count => Assert.NotEqual(0, count));

        var ended = await Task.WhenAll(new[] { first, second, third, fourth }.Select(bridge => bridge.TerminateAsync()));
        Assert.DoesNotContain(false, ended);
        await fixture.Database.AssertNoDeadlockAsync();
        Assert.Equal(Users, await fixture.CountAsync("credit_transactions where grant_key = 'signup'"));
    }

    private static async Task RaiseAsync(FaultFixture fixture, string[] types, string[] users)
    {
        var realm = fixture.Keycloak.Realm(FaultFixture.Realm);
        await Parallel.ForEachAsync(users.Index(), Token, async (one, _) =>
        {
            var (number, id) = one;
            var user = new EmulatedUser(id, $"user-{number}") { CreatedTimestamp = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() };
            realm.AddUser(user);
            await realm.RaiseAsync(types[number % types.Length], user.Id);
            if (number % 5 == 0)
                await realm.RaiseAsync("UPDATE_PROFILE", user.Id);
        });
    }

    // Again and again; all but one wait while that one has the realm.
    private static async Task<int> ReconcileAsync(Dictionary<string, string> settings, RunRequest request, CancellationToken over)
    {
        await using var bridge = BridgeFixture.Build(FaultFixture.Optional(settings));
        var done = 0;
        while (!over.IsCancellationRequested || done == 0)
        {
            await Eventually.TrueAsync(
                async () =>
                {
                    var outcome = await ReconciliationFixture.RunAsync(bridge, request, null, Token);
                    Assert.True(outcome.Status is ReconcileStatus.Done or ReconcileStatus.AlreadyRunning, outcome.Reason);
                    return outcome.Status == ReconcileStatus.Done;
                },
                "it has the realm");
            done++;
        }

        return done;
    }

    private static async Task<int> DeductAsync(FaultFixture fixture, string[] users, CancellationToken over)
    {
        var charged = 0;
        for (var turn = 0; !over.IsCancellationRequested; turn++)
            charged += await fixture.Database.ExecuteAsync(DeductSql, new { User = users[turn % users.Length] });
        return charged;
    }
}
