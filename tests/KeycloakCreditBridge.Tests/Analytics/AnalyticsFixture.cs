using KeycloakCreditBridge.Analytics;
using KeycloakCreditBridge.Analytics.Reports;
using KeycloakCreditBridge.Analytics.RollUps;
using KeycloakCreditBridge.Credits.Milestones;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Analytics;

/// <summary>A database whose bridge was installed on 1 January 2026, and what counts its users at a time of the test's.</summary>
internal sealed class AnalyticsFixture(TestDatabase database, AnalyticsOptions options) : IAsyncDisposable
{
    public static readonly DateTimeOffset Now = new(2026, 6, 15, 12, 0, 0, TimeSpan.Zero);

    private readonly OptionsWrapper<AnalyticsOptions> _options = new(options);

    public TestDatabase Database => database;

    /// <summary>It may be replaced by one that shows an earlier time.</summary>
    public ManualTimeProvider Clock { get; set; } = new(Now);

    public RollUpStore RollUps => new(
        database.DataSource, new MilestoneStore(database.DataSource), _options,
        new OptionsWrapper<ProvisioningOptions>(new ProvisioningOptions()), Clock);

    public AnalyticsStore Store => new(database.DataSource);

    public ReportWriter Writer => new(
        Store, RollUps, new(new(database.DataSource), new(database.DataSource), Clock), _options, Clock);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<AnalyticsFixture> StartAsync(PostgresFixture postgres, string zone = "UTC", int minimumGroup = 1)
    {
        var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync("update schema_migrations set applied_at = '2026-01-01T00:00:00Z'");
        return new AnalyticsFixture(database, new AnalyticsOptions { TimeZone = zone, MinimumGroup = minimumGroup });
    }

    /// <summary>A known user, with an account unless <paramref name="source"/> is "none".</summary>
    public Task AddUserAsync(
        string id, DateTimeOffset? registered, DateTimeOffset provisioned, string? source = "webhook", string state = "account",
        string realm = "demo", string? reason = null) => database.ExecuteAsync(
        """
        with account as (
            insert into user_credits (user_id, realm, keycloak_id, created_at, updated_at, last_reset, source, credits_remaining, tier)
            select @id, @realm, @id, @provisioned, @provisioned, @provisioned, nullif(@source, 'adoption'), 0, 'trial'
            where @source <> 'none')
        insert into keycloak_users (realm, keycloak_id, account_id, created_at, user_state, checked_at, reason)
        values (@realm, @id, case when @source <> 'none' then @id end, @registered, @state, @provisioned, @reason)
        """,
        new { id, registered, provisioned, source, state, realm, reason });

    public Task<RollUpResult> RebuildAsync(bool whole = true) => RollUps.RebuildAsync(whole, Token);

    public async Task<ReportView> ReportAsync(Report report, string by, string from = "2026-01-01", string to = "2026-12-31")
    {
        Dictionary<string, string> problems = [];
        var query = AnalyticsQuery.Read(report, null, (from, to, by), Writer.Today, problems);
        Assert.Empty(problems);
        return await Writer.WriteAsync(report, query, Token);
    }

    /// <summary>The column of each group.</summary>
    public async Task<Dictionary<string, string>> ColumnAsync(Report report, string by, string column)
    {
        var view = await ReportAsync(report, by);
        return view.Rows.ToDictionary(row => row.Name, row => row.Values[Array.IndexOf(view.Columns, column)], StringComparer.Ordinal);
    }

    // Accounts of these tests have no ledger, so the ledger's rules are not asked.
    public async ValueTask DisposeAsync()
    {
        await database.ExecuteAsync("delete from user_credits");
        await database.DisposeAsync();
    }
}
