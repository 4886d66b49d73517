using KeycloakCreditBridge.Grants.Experiments;
using KeycloakCreditBridge.Grants.Experiments.Results;
using KeycloakCreditBridge.Grants.Experiments.Running;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Experiments.Results;

/// <summary>Results count whole times of assigned users, and are hidden under a broken sample ratio.</summary>
public sealed class ExperimentReportTests(PostgresFixture postgres)
{
    private static readonly DateTimeOffset Now = new(2027, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(5100, 4900, true)]
    [InlineData(5200, 4800, false)]
    [InlineData(4, 5, false)]
    public void A_broken_or_unchecked_ratio_hides_what_users_did(int control, int more, bool isShown)
    {
        var result = ResultOf(planned: 100, ("control", control, control / 10), ("more", more, more / 8));
        Assert.All(result.Arms, arm => Assert.Equal((isShown, isShown), (arm.Did is not null, arm.Share is not null)));
        Assert.Equal(isShown, result.Arms[1].Uplift is not null);
        Assert.Null(result.Arms[0].Uplift);
    }

    [Theory]
    [InlineData(1001, false)]
    [InlineData(1000, true)]
    public void The_interval_of_one_look_is_shown_only_when_every_arm_has_the_planned_users(int planned, bool isFinal)
    {
        var result = ResultOf(planned, ("control", 1001, 100), ("more", 1000, 130));
        Assert.Equal((isFinal, isFinal), (result.IsFinal, result.Arms[1].Uplift!.Fixed is not null));
    }

    [Theory]
    [InlineData(ExperimentMetrics.Spent, 14, "first_spend_at")]
    [InlineData(ExperimentMetrics.Purchased, 30, "purchased_at")]
    [InlineData(ExperimentMetrics.Active, 7, "first_read_at")]
    public async Task A_user_counts_once_the_whole_time_is_over_and_only_what_was_done_within_it(string metric, int days, string column)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var window = TimeSpan.FromDays(days);
        // Ripe and in time, ripe and too late, ripe and deleted, not yet ripe.
        await AddAsync("in-time", Now - window, done: window - TimeSpan.FromSeconds(1));
        await AddAsync("late", Now - window, done: window);
        await AddAsync("nothing", Now - window, done: null);
        await database.ExecuteAsync(
            "insert into experiment_assignments (realm, keycloak_id, experiment, version, arm, bucket, credits, assigned_at) "
                + "values ('shop', 'removed', 'trial', 1, 'control', 0, 5, @At)",
            new { At = Now - window });
        await AddAsync("young", Now - window + TimeSpan.FromSeconds(1), done: TimeSpan.Zero);

        var counts = await new ResultStore(database.DataSource).CountAsync("shop", "trial", 1, metric, Now, Token);

        Assert.Equal(new ArmCounts("control", Users: 5, Exposed: 4, Ripe: 4, Did: 1), Assert.Single(counts).Value);
        Assert.Empty(await new ResultStore(database.DataSource).CountAsync("other", "trial", 1, metric, Now, Token));
        await database.ExecuteAsync("delete from user_credits");

        Task AddAsync(string id, DateTimeOffset at, TimeSpan? done) => database.ExecuteAsync(
            $"""
            with known as (
                insert into keycloak_users (realm, keycloak_id, account_id, created_at, user_state, checked_at)
                values ('shop', @id, @id, @at, 'account', @at)),
            account as (
                insert into user_credits (user_id, realm, keycloak_id, created_at, updated_at, last_reset, source, credits_remaining,
                    tier, {column})
                values (@id, 'shop', @id, @at, @at, @at, 'webhook', 0, 'trial', @doneAt))
            insert into experiment_assignments (
                realm, keycloak_id, experiment, version, arm, bucket, credits, assigned_at, exposed_at)
            values ('shop', @id, 'trial', 1, 'control', 0, 5, @at, @at)
            """,
            new { id, at, doneAt = at + done });
    }

    private static ExperimentResult ResultOf(int planned, params (string Arm, int Users, int Did)[] arms)
    {
        var terms = new ExperimentTerms("trial", new ExperimentOptions
        {
            From = "2027-01-01", Planned = planned,
            Arms = [.. arms.Select(arm => new ArmOptions { Name = arm.Arm, Weight = 1m / arms.Length, Credits = 5m })],
        });
        return ExperimentResult.Of(
            new BegunExperiment("shop", "trial", 1, terms.Definition, Now, null, null), ExperimentMetrics.Spent, planned,
            arms.ToDictionary(arm => arm.Arm, arm => new ArmCounts(arm.Arm, arm.Users, arm.Users, arm.Users, arm.Did)));
    }
}
