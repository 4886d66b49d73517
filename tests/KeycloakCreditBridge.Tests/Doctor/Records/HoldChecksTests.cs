using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Doctor.Records;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Review;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Doctor.Records;

public sealed class HoldChecksTests(PostgresFixture postgres)
{
    private const string HoldSql =
        """
        insert into grant_holds (user_id, grant_key, policy, credits, terms, score, signals, state, held_at, lapse_after, lapses_at,
            decided_by, decided_at)
        select 'u' || n, 'welcome', 'welcome', 4, '{"source":"webhook"}', 45,
            '[{"signal":"same_inbox","score":40},{"signal":"relay_domain","score":0}]', @State, @At, interval '14 days', @At, @By,
            case when @State <> 'held' then @At end
        from generate_series(1, @Holds) n
        """;

    private static readonly DateTimeOffset Now = new(2026, 11, 1, 12, 0, 0, TimeSpan.Zero);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(10, 9, 0, 0, null)]
    [InlineData(10, 10, 0, 0, null)]
    [InlineData(11, 8, 0, 0, null)]
    [InlineData(11, 8, 40, 0, null)]
    [InlineData(11, 8, 0, 40, null)]
    [InlineData(11, 9, 0, 0, "wrong more often than right: same_inbox (11 of 20 approved)")]
    public async Task A_signal_that_is_overturned_in_more_than_half_of_twenty_decisions_is_told(
        int approved, int rejected, int byTime, int old, string? says)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await HoldAsync(database, "approved", approved);
        await HoldAsync(database, "rejected", rejected);
        await HoldAsync(database, "approved", byTime, by: HoldBook.ByTime);
        await HoldAsync(database, "approved", old, Now.AddDays(-91));

        var finding = await CheckOf(database, "decisions on signals").Run(Token);

        Assert.Equal(says is null ? Verdict.Ok : Verdict.Warn, finding.Verdict);
        Assert.Equal(says ?? "operators agree with the signals that hold grants", finding.Message);
    }

    [Theory]
    [InlineData(71, Verdict.Ok, "2 held grants wait for a decision")]
    [InlineData(73, Verdict.Warn, "2 held grants wait for a decision, the oldest for 3 days")]
    internal async Task Holds_that_wait_for_more_than_three_days_are_told(int hours, Verdict verdict, string says)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await HoldAsync(database, "held", 2, Now.AddHours(-hours));
        await HoldAsync(database, "rejected", 1, Now.AddDays(-9));

        var finding = await CheckOf(database, "held grants").Run(Token);

        Assert.Equal((verdict, says), (finding.Verdict, finding.Message));
    }

    [Fact]
    public async Task Without_review_nothing_is_checked()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        Assert.Empty(ChecksOf(database, new FraudOptions()).All());
    }

    private static DoctorCheck CheckOf(TestDatabase database, string name) =>
        ChecksOf(database, new FraudOptions { Enabled = true }).All().Single(check => check.Name == name);

    private static HoldChecks ChecksOf(TestDatabase database, FraudOptions fraud) => new(
        new HoldListStore(database.DataSource), Hot.Of(new FraudRules(Options.Create(new GrantsOptions { Fraud = fraud }))),
        new ManualTimeProvider(Now));

    private static Task<int> HoldAsync(
        TestDatabase database, string state, int holds, DateTimeOffset? at = null, string by = "operator") => database.ExecuteAsync(
        HoldSql, new { State = state, Holds = holds, At = at ?? Now.AddDays(-1), By = state == "held" ? null : by });
}
