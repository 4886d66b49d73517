using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Periods;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Periods;

/// <summary>A database with accounts and a clock that the test moves. At its end every balance is what the ledger says.</summary>
internal sealed class PeriodFixture(TestDatabase database, PeriodsOptions? periods = null,
    ProvisioningOptions? provisioning = null) : IAsyncDisposable
{
    private const string AddSql =
        """
        with account as (
            insert into user_credits (user_id, tier, credits_remaining, credits_allocated, last_reset, created_at, status, unlimited)
            values (@Id, @Tier, @Balance, @Allocated, @Ended, @Created, @Status, @Unlimited))
        insert into credit_transactions (user_id, amount, transaction_type, metadata, created_at)
        values (@Id, @Balance, 'purchase', '{"reason": "initial_allocation"}', @Created)
        """;

    private const string PageSql =
        """
        select c.credits_remaining::numeric(9, 2) || ' of ' || c.credits_allocated::numeric(9, 2) || ' until '
            || to_char(c.last_reset at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || coalesce((
                select string_agg(concat_ws(' ', ' |', t.transaction_type, t.grant_key, t.amount::numeric(9, 2),
                    t.balance_after::numeric(9, 2)), '' order by t.created_at)
                from credit_transactions t where t.user_id = c.user_id and t.grant_key is not null), '')
        from user_credits c
        where c.user_id = @Id
        """;

    private const string UnbalancedSql =
        """
        select user_id from user_credits c
        where credits_remaining <> (select coalesce(sum(amount), 0) from credit_transactions t where t.user_id = c.user_id)
        """;

    public TestDatabase Database => database;

    /// <summary>It is 2026-12-01 12:00.</summary>
    public ManualTimeProvider Clock { get; } = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<PeriodFixture> StartAsync(
        PostgresFixture postgres, PeriodsOptions? periods = null, ProvisioningOptions? provisioning = null) =>
        new(await postgres.CreateDatabaseAsync(), periods, provisioning);

    /// <summary>An account whose ledger adds up to its balance.</summary>
    public Task<int> AddAsync(
        string id, decimal balance, string ended, string tier = "trial", decimal allocated = 5m, string status = "active",
        bool unlimited = false, string created = "2026-01-01") =>
        Database.ExecuteAsync(AddSql, new
        {
            Id = id, Tier = tier, Balance = balance, Allocated = allocated, Ended = Instant(ended), Created = Instant(created),
                Status = status, Unlimited = unlimited,
        });

    /// <summary>Renews as one more replica does.</summary>
    public Task<PeriodRun> RunAsync() => Reset().RunAsync(Token);

    /// <summary>Balance, end of the period, and the rows of its periods.</summary>
    public Task<string?> PageAsync(string id) => Database.ScalarAsync<string>(PageSql, new { Id = id });

    public async ValueTask DisposeAsync()
    {
        Assert.Empty(await Database.QueryAsync<string>(UnbalancedSql));
        await Database.DisposeAsync();
    }

    private PeriodReset Reset() => new(
        new PeriodStore(Database.DataSource), new PeriodsMetrics(new Meter("tests")),
        Hot.Of(new PeriodRules(
            Options.Create(periods ?? new PeriodsOptions()), Options.Create(provisioning ?? new ProvisioningOptions()))), Clock,
        NullLogger<PeriodReset>.Instance);

    private static DateTime Instant(string text) => DateTime.Parse(
        text, System.Globalization.CultureInfo.InvariantCulture,
        System.Globalization.DateTimeStyles.AdjustToUniversal | System.Globalization.DateTimeStyles.AssumeUniversal);
}
