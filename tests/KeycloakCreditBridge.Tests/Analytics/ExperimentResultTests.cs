using System.Globalization;
using KeycloakCreditBridge.Analytics.Reports;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Doctor.Records;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Experiments;
using KeycloakCreditBridge.Grants.Experiments.Results;
using KeycloakCreditBridge.Grants.Experiments.Running;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Analytics;

/// <summary>What a broken sample ratio hides is in no report, and the doctor says why.</summary>
public sealed class ExperimentResultTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_report_tells_what_users_of_each_arm_did_unless_the_ratio_is_broken_or_few_users_are_behind_it()
    {
        await using var fixture = await AnalyticsFixture.StartAsync(postgres, minimumGroup: 5);
        await BeginAsync(fixture.Database, Options());
        await AddAsync(fixture, "control", users: 60, did: 20);
        await AddAsync(fixture, "more", users: 60, did: 30);
        Assert.Equal(
            new Dictionary<string, string> { ["trial:control"] = "0.333333", ["trial:more"] = "0.500000" }, await ColumnAsync("share"));
        Assert.Equal("0.500000", (await ColumnAsync("uplift"))["trial:more"]);
        Assert.Equal(["", ""], (await ColumnAsync("fixed_low")).Values);
        Assert.Equal(Verdict.Ok, (await DoctorAsync(fixture.Database, Options())).Verdict);

        // Few did it.
        await fixture.Database.ExecuteAsync(
            "update user_credits set first_spend_at = null where user_id like 'more%' and user_id >= 'more03'");
        Assert.Equal("<5", (await ColumnAsync("did"))["trial:more"]);
        Assert.Equal(("", ""), ((await ColumnAsync("share"))["trial:more"], (await ColumnAsync("uplift"))["trial:more"]));

        // Two thirds of the users of one arm are lost.
        await fixture.Database.ExecuteAsync(
            "update experiment_assignments set exposed_at = null where arm = 'more' and keycloak_id < 'more4'");
        foreach (var column in (string[])["did", "share", "uplift", "sequential_low", "sequential_high", "fixed_low", "fixed_high"])
            Assert.All((await ColumnAsync(column)).Values, Assert.Empty);
        Assert.Equal("broken", (await ColumnAsync("sample_ratio"))["trial:control"]);
        var finding = await DoctorAsync(fixture.Database, Options());
        Assert.Equal(Verdict.Fail, finding.Verdict);
        Assert.Contains("results are hidden: trial of realm demo", finding.Message, StringComparison.Ordinal);

        Task<Dictionary<string, string>> ColumnAsync(string column) => fixture.ColumnAsync(Report.Experiments, "arm", column);
    }

    [Fact]
    public async Task The_funnel_counts_users_by_arm_and_hides_what_they_did_where_the_ratio_is_broken()
    {
        await using var fixture = await AnalyticsFixture.StartAsync(postgres);
        await BeginAsync(fixture.Database, Options());
        await AddAsync(fixture, "control", users: 60, did: 20);
        await AddAsync(fixture, "more", users: 60, did: 30);
        await fixture.AddUserAsync("outside", AnalyticsFixture.Now, AnalyticsFixture.Now);
        await fixture.AddUserAsync("excluded", AnalyticsFixture.Now, AnalyticsFixture.Now, "none", "excluded");
        await fixture.Database.ExecuteAsync(
            """
            insert into user_hints (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at, state)
            values ('demo', 'hinted', 1, 'webhook', 'REGISTER', 'changed', @Now, @Now, 'waiting')
            """,
            new { AnalyticsFixture.Now });
        // The arm that decided the welcome counts, and not one that the user came into afterwards.
        await AssignAsync(fixture, "later", "more", AnalyticsFixture.Now);
        await fixture.RebuildAsync();
        Assert.Equal(
            new() { ["none"] = "3", ["trial:1:control"] = "60", ["trial:1:more"] = "60" }, await ColumnAsync("users"));
        Assert.Equal(
            new() { ["none"] = "0", ["trial:1:control"] = "20", ["trial:1:more"] = "30" }, await ColumnAsync("first_spend"));
        Assert.Equal(
            await fixture.Database.ScalarAsync<long>("select (select count(*) from keycloak_users) + (select count(*) from user_hints)"),
            (await ColumnAsync("users")).Values.Sum(users => long.Parse(users, CultureInfo.InvariantCulture)));

        // Two thirds of the users of one arm are lost.
        await fixture.Database.ExecuteAsync(
            "update experiment_assignments set exposed_at = null where arm = 'more' and keycloak_id < 'more4'");
        foreach (var column in (string[])["granted", "first_read", "first_spend", "exhausted", "purchased"])
            Assert.Equal(new() { ["none"] = "0", ["trial:1:control"] = "", ["trial:1:more"] = "" }, await ColumnAsync(column));
        Assert.Equal("60", (await ColumnAsync("users"))["trial:1:more"]);

        Task<Dictionary<string, string>> ColumnAsync(string column) => fixture.ColumnAsync(Report.Funnel, "arm", column);
    }

    [Fact]
    public async Task What_users_of_a_version_before_the_last_did_is_not_in_the_funnel()
    {
        await using var fixture = await AnalyticsFixture.StartAsync(postgres);
        await BeginAsync(fixture.Database, Options());
        var second = Options();
        second.Version = 2;
        await BeginAsync(fixture.Database, second);
        await AddAsync(fixture, "control", users: 60, did: 20);
        await AddAsync(fixture, "more", users: 60, did: 30);
        await fixture.Database.ExecuteAsync("update experiment_assignments set version = 2 where keycloak_id <> 'control00'");
        await fixture.RebuildAsync();

        Assert.Equal(
            new() { ["trial:1:control"] = "1", ["trial:2:control"] = "59", ["trial:2:more"] = "60" },
            await fixture.ColumnAsync(Report.Funnel, "arm", "users"));
        Assert.Equal(
            new() { ["trial:1:control"] = "", ["trial:2:control"] = "19", ["trial:2:more"] = "30" },
            await fixture.ColumnAsync(Report.Funnel, "arm", "first_spend"));
    }

    [Fact]
    public async Task The_doctor_finds_settings_that_an_experiment_did_not_begin_with()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        Assert.Equal("no experiment has begun", (await DoctorAsync(database, Options())).Message);
        await BeginAsync(database, Options());
        var finding = await DoctorAsync(database, Options(credits: 11m));
        Assert.Equal(Verdict.Fail, finding.Verdict);
        Assert.StartsWith(
            "Grants:Experiments:trial:Arms:1:Credits was 10 and is 11", finding.Message, StringComparison.Ordinal);
    }

    private static ExperimentOptions Options(decimal credits = 10m) => new()
    {
        From = "2026-01-01", Planned = 1_000,
        Arms =
        [
            new() { Name = "control", Weight = 0.5m, Credits = 5m }, new() { Name = "more", Weight = 0.5m, Credits = credits },
        ],
    };

    private static async Task BeginAsync(TestDatabase database, ExperimentOptions options) => await new ExperimentStore(database.DataSource)
        .BeginAsync("demo", new ExperimentTerms("trial", options), AnalyticsFixture.Now, Token);

    private static Task<Finding> DoctorAsync(TestDatabase database, ExperimentOptions options)
    {
        var store = new ExperimentStore(database.DataSource);
        return new ExperimentChecks(
            new ExperimentReports(store, new ResultStore(database.DataSource), new ManualTimeProvider(AnalyticsFixture.Now)), store,
            new OptionsWrapper<GrantsOptions>(new GrantsOptions { Experiments = { ["trial"] = options } })).RatiosAsync(Token);
    }

    private static async Task AddAsync(AnalyticsFixture fixture, string arm, int users, int did)
    {
        var at = AnalyticsFixture.Now.AddDays(-20);
        for (var user = 0; user < users; user++)
            await fixture.AddUserAsync($"{arm}{user:00}", at, at);
        await AssignAsync(fixture, "trial", arm, at);
        await fixture.Database.ExecuteAsync(
            "update user_credits set first_spend_at = @at::timestamptz + interval '1 day' "
                + "where user_id like @arm || '%' and user_id < @last",
            new { arm, at, last = $"{arm}{did:00}" });
    }

    private static async Task AssignAsync(AnalyticsFixture fixture, string experiment, string arm, DateTimeOffset at) =>
        await fixture.Database.ExecuteAsync(
            """
            insert into experiment_assignments (
                realm, keycloak_id, experiment, version, arm, bucket, credits, assigned_at, exposed_at)
            select realm, keycloak_id, @experiment, 1, @arm, 0, 5, @at, @at from user_credits where user_id like @arm || '%'
            """,
            new { experiment, arm, at });
}
