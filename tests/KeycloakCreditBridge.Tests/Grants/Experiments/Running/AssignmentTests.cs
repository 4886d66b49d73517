using KeycloakCreditBridge.Grants.Experiments.Running;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Tests.Provisioning;
using KeycloakCreditBridge.Tests.Storage;
using Npgsql;
using static KeycloakCreditBridge.Tests.Grants.Experiments.Running.TrialExperiment;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Grants.Experiments.Running;

/// <summary>Users are assigned once, with the grant that their arm decides.</summary>
public sealed class AssignmentTests(PostgresFixture postgres)
{
    [Fact]
    public async Task An_arm_decides_the_welcome_and_its_end_and_the_exposure_is_written_with_the_grant()
    {
        await using var fixture = await StartAsync(postgres, Experiment());
        await fixture.ReadAsync([.. Controls.Concat(Others.Take(2)).Select(id => User(id))]);
        await fixture.ReadAsync([.. Controls.Concat(Others.Take(2)).Select(id => User(id))]);

        Assert.Equal(
            [.. Controls.Select(id => $"{id} control 5 exposed"), .. Others.Take(2).Select(id => $"{id} more 10 exposed")],
            await StoredAsync(fixture));
        foreach (var (ids, credits, days) in new[] { (Controls, 5m, 0), (Others.Take(2).ToList(), 10m, 30) })
        {
            Assert.Equal(
                [$"{ids.Count} of {credits:0.00} ending after {days} days by experiment:{Key}:{(days == 0 ? "control" : "more")}"],
                await fixture.Database.QueryAsync<string>(
                    """
                    select count(*) || ' of ' || w.credits::numeric(9, 2) || ' ending after ' || w.days || ' days by ' || w.rule
                    from (
                        select c.credits_remaining as credits, t.metadata ->> 'rule' as rule,
                            coalesce(extract(day from g.expires_at - g.granted_at + interval '1 hour')::int, 0) as days
                        from user_credits c
                        join credit_grants g on g.user_id = c.user_id and g.grant_key = 'welcome'
                        join credit_transactions t on t.user_id = c.user_id and t.grant_key = 'welcome'
                        where c.user_id = any (@ids) and g.evidence ->> 'arm' = split_part(t.metadata ->> 'rule', ':', 3)) w
                    group by w.credits, w.days, w.rule
                    """, new { ids = ids.ToArray() }));
        }

        await fixture.Database.AssertLedgerAsync();
    }

    [Fact]
    public async Task A_stored_arm_is_stronger_than_the_hash_whatever_is_configured_later()
    {
        await using var fixture = await StartAsync(postgres, Experiment(gated: true));
        await fixture.ReadAsync([.. Others.Take(2).Select(id => Unverified(id))]);
        Assert.Equal([.. Others.Take(2).Select(id => $"{id} more 10 waits")], await StoredAsync(fixture));

        // Another seed and other weights in a next version, and then no experiment at all.
        var next = Experiment(gated: true);
        (next.Experiments[Key].Version, next.Experiments[Key].Seed) = (2, "anew");
        (next.Experiments[Key].Arms[0].Weight, next.Experiments[Key].Arms[1].Weight) = (0.99m, 0.01m);
        await fixture.Restart(next).ReadAsync(User(Others[0], "a@example.com"));
        var none = Experiment(gated: true);
        none.Experiments.Clear();
        await fixture.Restart(none).ReadAsync(User(Others[1], "b@example.com"));

        Assert.Equal([.. Others.Take(2).Select(id => $"{id} more 10 exposed")], await StoredAsync(fixture));
        Assert.Equal([10m, 10m], await fixture.Database.QueryAsync<decimal>("select credits_remaining from user_credits"));
        Assert.Equal([1], await fixture.Database.QueryAsync<int>("select distinct version from experiment_assignments"));
        await fixture.Database.AssertLedgerAsync();
    }

    [Fact]
    public async Task Who_waits_for_a_verified_address_or_is_held_is_assigned_and_exposed_with_the_grant()
    {
        await using var fixture = await StartAsync(postgres, Experiment(gated: true));
        await fixture.ReadAsync(Unverified(Others[0]), User(Controls[0], "c@example.com", enabled: false));
        Assert.Equal([$"{Controls[0]} control 5 waits", $"{Others[0]} more 10 waits"], await StoredAsync(fixture));
        Assert.Equal(0m, await fixture.Database.ScalarAsync<decimal>("select sum(credits_remaining) from user_credits"));

        await fixture.ReadAsync(User(Others[0], "a@example.com"), User(Controls[0], "c@example.com"));

        Assert.Equal([$"{Controls[0]} control 5 exposed", $"{Others[0]} more 10 exposed"], await StoredAsync(fixture));
        Assert.Equal(15m, await fixture.Database.ScalarAsync<decimal>("select sum(credits_remaining) from user_credits"));
    }

    [Fact]
    public async Task After_the_end_a_stop_or_a_winner_new_users_are_in_no_arm_and_others_keep_theirs()
    {
        var options = Experiment(gated: true);
        await using var fixture = await StartAsync(postgres, options);
        await fixture.ReadAsync(Unverified(Others[0]));
        var ended = Experiment(gated: true);
        ended.Experiments[Key].Until = Start.ToString("O");
        await fixture.Restart(ended).ReadAsync(User(Others[1], "b@example.com"));
        Assert.Equal(5m, await BalanceAsync(fixture, Others[1]));

        var store = new ExperimentStore(fixture.Database.DataSource);
        Assert.Equal(1, await store.DecideAsync(Realm, Key, null, "ops", Start, TestContext.Current.CancellationToken));
        Assert.Null(await store.DecideAsync(Realm, Key, null, "ops", Start, TestContext.Current.CancellationToken));
        await fixture.Restart(options).ReadAsync(User(Others[2], "c@example.com"));
        Assert.Equal(5m, await BalanceAsync(fixture, Others[2]));

        Assert.Equal(1, await store.DecideAsync(Realm, Key, "more", "ops", Start, TestContext.Current.CancellationToken));
        await fixture.Restart(options).ReadAsync(User(Controls[0], "d@example.com"), User(Others[0], "a@example.com"));
        Assert.Equal([10m, 10m], [await BalanceAsync(fixture, Controls[0]), await BalanceAsync(fixture, Others[0])]);
        Assert.Equal([$"{Others[0]} more 10 exposed"], await StoredAsync(fixture));
        Assert.Equal(
            ["experiment.stop", "experiment.winner"],
            await fixture.Database.QueryAsync<string>("select action from audit_logs where action like 'experiment.%' order by id"));
    }

    [Fact]
    public async Task An_arm_that_another_replica_stored_meanwhile_ends_the_batch_which_is_repeated_with_it()
    {
        await using var fixture = await StartAsync(postgres, Experiment());
        await fixture.ReadAsync(User(Others[0]));
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(TestContext.Current.CancellationToken);
        var other = new WelcomeArm(Key, 1, "control", 0, 5m, null) { IsNew = true };
        var conflict = await Assert.ThrowsAsync<PostgresException>(() => AssignmentStore.KeepAsync(
            connection, [new AssignedUser(Realm, Others[0], Start.AddDays(1), other)], Start, TestContext.Current.CancellationToken));
        Assert.Equal(PostgresErrorCodes.SerializationFailure, conflict.SqlState);
        // An older reading, and a user without an account, store nothing and end nothing.
        await AssignmentStore.KeepAsync(
            connection,
            [
                new AssignedUser(Realm, Others[0], Start.AddDays(-1), other), new AssignedUser(Realm, "unknown", Start.AddDays(1), other),
            ],
            Start, TestContext.Current.CancellationToken);
        Assert.Equal([$"{Others[0]} more 10 exposed"], await StoredAsync(fixture));
    }

    [Fact]
    public async Task Two_replicas_that_assign_differently_at_once_give_each_user_one_arm_and_its_credits()
    {
        var other = Experiment();
        other.Experiments[Key].Coverage = 0.3m;
        await using var fixture = await StartAsync(postgres, Experiment());
        var replica = fixture.Restart(other);
        string[] ids = [.. Enumerable.Range(0, 60).Select(number => $"u{number}")];
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(() => (thread % 2 == 0 ? fixture : replica).ReadAsync(
            [.. ids.Skip(thread * 7 % 40).Take(20 + thread).Select(id => User(id))]))));
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>(
            """
            select count(*)::int from experiment_assignments a
            join user_credits c on c.realm = a.realm and c.keycloak_id = a.keycloak_id
            where c.credits_remaining <> a.credits or a.exposed_at is null
            """));
        await fixture.Database.AssertLedgerAsync();
    }

    private static Task<decimal> BalanceAsync(AccountFixture fixture, string id) =>
        fixture.Database.ScalarAsync<decimal>("select credits_remaining from user_credits where user_id = @id", new { id });
}
