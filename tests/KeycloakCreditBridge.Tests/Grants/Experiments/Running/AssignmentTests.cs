using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Experiments;
using KeycloakCreditBridge.Grants.Experiments.Running;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Provisioning;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Grants.Experiments.Running;

/// <summary>Users are assigned once, with the grant that their arm decides.</summary>
public sealed class AssignmentTests(PostgresFixture postgres)
{
    private const string Key = "trial";

    private static readonly string[] Controls = [.. Ids("control").Take(2)];
    private static readonly string[] Others = [.. Ids("more").Take(2)];

    [Fact]
    public async Task An_arm_decides_the_welcome_and_its_end_and_the_exposure_is_written_with_the_grant()
    {
        await using var fixture = await StartAsync(postgres, Experiment());
        await fixture.ReadAsync([.. Controls.Concat(Others).Select(id => User(id))]);
        await fixture.ReadAsync([.. Controls.Concat(Others).Select(id => User(id))]);

        Assert.Equal(
            [.. Controls.Select(id => $"{id} control 5 exposed"), .. Others.Select(id => $"{id} more 10 exposed")],
            await StoredAsync(fixture));
        foreach (var (ids, credits, days) in new[] { (Controls, 5m, 0), (Others, 10m, 30) })
        {
            Assert.Equal(
                [$"{ids.Length} of {credits:0.00} ending after {days} days by experiment:{Key}:{(days == 0 ? "control" : "more")}"],
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
                    """, new { ids }));
        }

        await fixture.Database.AssertLedgerAsync();
    }

    [Fact]
    public async Task A_stored_arm_is_stronger_than_the_hash_whatever_is_configured_later()
    {
        await using var fixture = await StartAsync(postgres, Experiment(gated: true));
        await fixture.ReadAsync([.. Others.Select(id => Unverified(id))]);
        Assert.Equal([.. Others.Select(id => $"{id} more 10 waits")], await StoredAsync(fixture));

        // Another seed and other weights in a next version, and then no experiment at all.
        var next = Experiment(gated: true);
        (next.Experiments[Key].Version, next.Experiments[Key].Seed) = (2, "anew");
        (next.Experiments[Key].Arms[0].Weight, next.Experiments[Key].Arms[1].Weight) = (0.99m, 0.01m);
        await fixture.Restart(next).ReadAsync(User(Others[0], "a@example.com"));
        var none = Experiment(gated: true);
        none.Experiments.Clear();
        await fixture.Restart(none).ReadAsync(User(Others[1], "b@example.com"));

        Assert.Equal([.. Others.Select(id => $"{id} more 10 exposed")], await StoredAsync(fixture));
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
    public async Task Who_was_backfilled_found_late_created_before_or_left_out_is_in_no_arm_and_gets_what_control_gets()
    {
        var options = Experiment();
        options.Experiments[Key].Exclude = ["boss@example.com", "@staff.example"];
        await using var fixture = await StartAsync(postgres, options);
        var at = Start.AddHours(25);
        await fixture.ConvergeAsync(fixture.Evaluate(User(Others[0]), source: HintSources.Backfill));
        await fixture.ConvergeAsync(
            fixture.Evaluate(User(Others[1]), at),
            fixture.Evaluate(User(OtherOf(2)) with { CreatedAt = Start.AddDays(-400) }, at),
            fixture.Evaluate(User(OtherOf(3)) with { CreatedAt = null }, at),
            fixture.Evaluate(User(OtherOf(4), "Boss@example.com") with { CreatedAt = at }, at),
            fixture.Evaluate(User(OtherOf(5), "eve@staff.example") with { CreatedAt = at }, at));

        Assert.Empty(await StoredAsync(fixture));
        // The user that was created before gets the welcome as it stands.
        Assert.Equal(
            ["3.00", "5.00"],
            await fixture.Database.QueryAsync<string>(
                "select distinct credits_remaining::numeric(9, 2)::text from user_credits order by 1"));

        // No later reading puts the user of a backfill into an arm.
        await fixture.ReadAsync(User(Others[0]));
        Assert.Empty(await StoredAsync(fixture));

        // Found by reconciliation within a day: a lost webhook biases no sample.
        await fixture.ConvergeAsync(
            fixture.Evaluate(User(OtherOf(6)) with { CreatedAt = Start }, Start.AddHours(23), HintSources.Reconciliation));
        Assert.Equal([$"{OtherOf(6)} more 10 exposed"], await StoredAsync(fixture));
    }

    [Fact]
    public async Task A_backfilled_user_whose_welcome_waits_is_in_no_arm_when_it_is_paid()
    {
        await using var fixture = await StartAsync(postgres, Experiment(gated: true));
        var now = DateTimeOffset.UtcNow;
        foreach (var (id, source) in new[] { (Others[0], HintSources.Backfill), (Others[1], HintSources.Poll) })
        {
            await fixture.ConvergeAsync(fixture.Evaluate(Unverified(id) with { CreatedAt = now }, now, source));
            await fixture.ConvergeAsync(fixture.Evaluate(User(id, $"{id}@example.com") with { CreatedAt = now }, now.AddSeconds(1)));
        }

        Assert.Equal([$"{Others[1]} more 10 exposed"], await StoredAsync(fixture));
        Assert.Equal(5m, await fixture.Database.ScalarAsync<decimal>(
            "select credits_remaining from user_credits where user_id = @id", new { id = Others[0] }));
    }

    [Fact]
    public async Task A_rule_that_matches_decides_before_the_experiment_and_exposes_no_user()
    {
        var options = Experiment(gated: true);
        options.Welcome!.Rules = [new() { Name = "partners", When = new() { Group = "/partners" }, Credits = 20m }, new() { Credits = 4m }];
        await using var fixture = await StartAsync(postgres, options);
        await fixture.ReadAsync(
            User(Others[0], "a@example.com") with { Groups = ["/partners"] }, User(Others[1], "b@example.com") with { Groups = [] });
        Assert.Equal([$"{Others[0]} more 10 waits", $"{Others[1]} more 10 exposed"], await StoredAsync(fixture));
        Assert.Equal(
            [10m, 20m], await fixture.Database.QueryAsync<decimal>("select credits_remaining from user_credits order by 1"));
    }

    [Fact]
    public async Task Only_users_that_meet_the_conditions_are_assigned()
    {
        var options = Experiment();
        options.Experiments[Key].When = new RuleWhenOptions { Group = "/new" };
        await using var fixture = await StartAsync(postgres, options);
        await fixture.ReadAsync(User(Others[0]) with { Groups = ["/new"] }, User(Others[1]) with { Groups = [] });
        Assert.Equal([$"{Others[0]} more 10 exposed"], await StoredAsync(fixture));
        // A listing does not show groups: the user is read in full before anything is decided.
        var now = DateTimeOffset.UtcNow;
        var listed = User(OtherOf(2)) with { CreatedAt = now };
        await fixture.ConvergeAsync(fixture.Evaluate(listed, now));
        Assert.Equal([OtherOf(2)], await fixture.Database.QueryAsync<string>("select keycloak_id from user_hints"));
        Assert.Equal(1, await fixture.Database.ScalarAsync<int>("select count(*)::int from experiment_assignments"));
        await fixture.ConvergeAsync(fixture.Evaluate(listed with { Groups = ["/new"] }, now.AddSeconds(1)));
        Assert.Equal(2, await fixture.Database.ScalarAsync<int>("select count(*)::int from experiment_assignments"));
    }

    [Fact]
    public async Task A_user_whose_address_was_paid_for_before_is_in_no_arm()
    {
        await using var fixture = await StartAsync(postgres, Experiment(), OncePerEmail());
        await fixture.ReadAsync(User(Others[0], "a@example.com"));
        await fixture.ReadAsync(User(Others[1], "a@example.com"));
        Assert.Equal([$"{Others[0]} more 10 exposed"], await StoredAsync(fixture));
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
        await fixture.Restart(options).ReadAsync(User(OtherOf(2), "c@example.com"));
        Assert.Equal(5m, await BalanceAsync(fixture, OtherOf(2)));

        Assert.Equal(1, await store.DecideAsync(Realm, Key, "more", "ops", Start, TestContext.Current.CancellationToken));
        await fixture.Restart(options).ReadAsync(User(Controls[0], "d@example.com"), User(Others[0], "a@example.com"));
        Assert.Equal([10m, 10m], [await BalanceAsync(fixture, Controls[0]), await BalanceAsync(fixture, Others[0])]);
        Assert.Equal([$"{Others[0]} more 10 exposed"], await StoredAsync(fixture));
        Assert.Equal(
            ["experiment.stop", "experiment.winner"],
            await fixture.Database.QueryAsync<string>("select action from audit_logs where action like 'experiment.%' order by id"));
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

    private static GrantsOptions Experiment(bool gated = false) => new()
    {
        Welcome = new WelcomeOptions { Credits = 3m, Requires = gated ? ["email_verified"] : [] },
        Experiments =
        {
            [Key] = new ExperimentOptions
            {
                From = "2026-01-01", Planned = 100,
                Arms =
                [
                    new() { Name = "control", Weight = 0.5m, Credits = 5m },
                    new() { Name = "more", Weight = 0.5m, Credits = 10m, ExpiresAfter = TimeSpan.FromDays(30) },
                ],
            },
        },
    };

    private static IEnumerable<string> Ids(string arm)
    {
        var terms = new ExperimentTerms(Key, Experiment().Experiments[Key]);
        return Enumerable.Range(0, 1_000).Select(number => $"user-{number:000}").Where(id => terms.HashOf(id).Arm?.Name == arm);
    }

    private static string OtherOf(int index) => Ids("more").ElementAt(index);

    private static Subject Unverified(string id) => User(id) with { Email = $"{id}@example.com" };

    private static Task<decimal> BalanceAsync(AccountFixture fixture, string id) =>
        fixture.Database.ScalarAsync<decimal>("select credits_remaining from user_credits where user_id = @id", new { id });

    // Controls first.
    private static Task<IReadOnlyList<string>> StoredAsync(AccountFixture fixture) => fixture.Database.QueryAsync<string>(
        """
        select concat_ws(' ', keycloak_id, arm, credits::int, case when exposed_at is null then 'waits' else 'exposed' end)
        from experiment_assignments order by arm, keycloak_id
        """);
}
