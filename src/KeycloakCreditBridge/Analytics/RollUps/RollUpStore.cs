using Dapper;
using KeycloakCreditBridge.Credits.Milestones;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Analytics.RollUps;

/// <summary>Rebuilds what is counted from the records, in one transaction: a reader sees what was there before.</summary>
internal sealed class RollUpStore(
    NpgsqlDataSource dataSource, MilestoneStore milestones, IOptions<AnalyticsOptions> options,
    IOptions<ProvisioningOptions> provisioning, TimeProvider clock)
{
    private const int RecentDays = 35;

    // Grows with what is counted: days that an older program counted are rebuilt.
    private const int Layout = 2;

    // A million accounts take seconds on a quiet machine.
    private const int MostSeconds = 600;

    // Tables are read from end to end, by a plan for these days, and not row by row as the service's other statements do.
    private const string Counting =
        "set local enable_seqscan = on; set local plan_cache_mode = force_custom_plan; set local work_mem = '64MB'";

    // Each may be a group of its own every day.
    private const int MostClaims = 50;

    private const string LockSql = "select 1 from pg_advisory_xact_lock(hashtextextended('credit_analytics', 0))";

    private const string StateSql = "select zone, rebuilt_at, whole_at, layout from analytics_state";

    private const string DropFunnelSql = "delete from analytics_funnel where day >= @From or day = date '0001-01-01'";

    private const string DropUtmSql = "delete from analytics_utm where day >= @From or day = date '0001-01-01'";

    private const string DropWaitsSql = "delete from analytics_waits where day >= @From";

    private const string DropExpiriesSql = "delete from analytics_expiries";

    private const string ExpiriesSql =
        """
        insert into analytics_expiries (day, realm, kind, accounts, credits)
        select (credit_period_end(c.last_reset, c.created_at, @PeriodSeconds::double precision) at time zone @Zone::text)::date as day,
            c.realm, 'period', count(*), sum(c.credits_remaining)
        from user_credits c
        where c.status = 'active' and not c.unlimited and c.credits_remaining > 0 and c.realm is not null
            and credit_period_end(c.last_reset, c.created_at, @PeriodSeconds) is not null
        group by day, c.realm
        union all
        select e.day, c.realm, 'grant', count(*), sum(least(e.amount, c.credits_remaining))
        from (
            select g.user_id, (g.expires_at at time zone @Zone)::date as day, sum(g.amount) as amount
            from credit_grants g
            where g.expires_at is not null and g.closed_at is null
            group by g.user_id, day) e
        join user_credits c on c.user_id = e.user_id
        where c.status <> 'closed' and c.credits_remaining > 0 and c.realm is not null
        group by e.day, c.realm
        """;

    private const string SaveSql =
        """
        insert into analytics_state as s (zone, rebuilt_at, whole_at, layout)
        values (@Zone, @Now::timestamptz, @WholeAt::timestamptz, @Layout)
        on conflict (single) do update
        set zone = excluded.zone, rebuilt_at = excluded.rebuilt_at, whole_at = excluded.whole_at, layout = excluded.layout
        """;

    private static readonly string FunnelSql = SqlText.Of(typeof(RollUpStore), "RollUpStore.Funnel.sql");

    private static readonly string WaitsSql = SqlText.Of(typeof(RollUpStore), "RollUpStore.Waits.sql");

    // Milestones of older days change late, and users of older days are deleted: once a day all is counted anew.
    private static readonly TimeSpan WholeEvery = TimeSpan.FromDays(1);

    /// <summary>When what is counted was rebuilt; null before the first time.</summary>
    public async Task<RollUpState?> StateAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<RollUpState>(
            new CommandDefinition(StateSql, cancellationToken: cancellationToken));
    }

    /// <summary>Rebuilds the last 35 days, or all of them: where asked, once a day, and when the time zone is another one.</summary>
    public async Task<RollUpResult> RebuildAsync(bool whole, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var state = await StateAsync(cancellationToken);
        var zone = options.Value.TimeZone;
        // A clock that was set back makes the last time lie ahead.
        var isWhole = whole || state is null || state.Zone != zone || state.Layout < Layout
            || (now - state.WholeAt).Duration() >= WholeEvery;
        var from = isWhole
            ? DateOnly.MinValue.AddDays(1)
            : DateOnly.FromDateTime(TimeZoneInfo.ConvertTime(now, TimeZoneInfo.FindSystemTimeZoneById(zone)).DateTime).AddDays(-RecentDays);
        var recounted = whole ? await milestones.RecountAsync(cancellationToken) : 0;
        await milestones.GrantedAsync(isWhole ? DateTimeOffset.UnixEpoch : now.AddDays(-RecentDays - 1), cancellationToken);

        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        // A day of any zone begins within a day of UTC's.
        var parameters = new
        {
            From = from,
            Since = isWhole ? DateTimeOffset.MinValue : new DateTimeOffset(from.AddDays(-1), TimeOnly.MinValue, TimeSpan.Zero),
            Zone = zone,
            PeriodSeconds = provisioning.Value.Period.TotalSeconds,
            Now = now,
            WholeAt = isWhole ? now : state!.WholeAt,
            Layout,
            MostClaims,
            LeastClaims = options.Value.MinimumGroup,
        };
        var rows = 0;
        foreach (var sql in (string[])[Counting, LockSql, DropFunnelSql, DropUtmSql, DropWaitsSql, DropExpiriesSql, SaveSql])
            await ExecuteAsync(sql);
        foreach (var sql in (string[])[FunnelSql, WaitsSql, ExpiriesSql])
            rows += await ExecuteAsync(sql);
        await transaction.CommitAsync(cancellationToken);
        return new RollUpResult(isWhole, rows, recounted);

        async Task<int> ExecuteAsync(string sql) =>
            await connection.ExecuteAsync(new CommandDefinition(
                sql, sql == Counting ? null : parameters, transaction, MostSeconds, cancellationToken: cancellationToken));
    }
}

/// <param name="Zone">The time zone of the days.</param>
/// <param name="WholeAt">When all days were rebuilt.</param>
/// <param name="Layout">What the program that did it knew to count.</param>
internal sealed record RollUpState(string Zone, DateTimeOffset RebuiltAt, DateTimeOffset WholeAt, int Layout);

/// <param name="Whole">Whether all days were rebuilt, and not only the last 35.</param>
/// <param name="Rows">Rows of both tables that were written.</param>
/// <param name="Milestones">Accounts whose missing milestones were read from the ledger.</param>
internal sealed record RollUpResult(bool Whole, int Rows, int Milestones);
