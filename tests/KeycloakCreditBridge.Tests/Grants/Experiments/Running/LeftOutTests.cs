using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Grants.Experiments.Running.TrialExperiment;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Grants.Experiments.Running;

/// <summary>Users that an experiment does not concern get what the welcome or `control` gives.</summary>
public sealed class LeftOutTests(PostgresFixture postgres)
{
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
            fixture.Evaluate(User(Others[2]) with { CreatedAt = Start.AddDays(-400) }, at),
            fixture.Evaluate(User(Others[3]) with { CreatedAt = null }, at),
            fixture.Evaluate(User(Others[4], "Boss@example.com") with { CreatedAt = at }, at),
            fixture.Evaluate(User(Others[5], "eve@staff.example") with { CreatedAt = at }, at));

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
            fixture.Evaluate(User(Others[6]) with { CreatedAt = Start }, Start.AddHours(23), HintSources.Reconciliation));
        Assert.Equal([$"{Others[6]} more 10 exposed"], await StoredAsync(fixture));
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
        var listed = User(Others[2]) with { CreatedAt = now };
        await fixture.ConvergeAsync(fixture.Evaluate(listed, now));
        Assert.Equal([Others[2]], await fixture.Database.QueryAsync<string>("select keycloak_id from user_hints"));
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
}
