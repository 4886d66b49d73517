using Dapper;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Chaos.Evidence;

/// <summary>Reads what the bridge has written, over one connection, so that all of it can be read in one transaction.</summary>
internal sealed class EvidenceStore(NpgsqlConnection connection)
{
    private const int LotBatch = 500;

    private const string AccountsSql =
        """
        select c.user_id as account_id, c.keycloak_id, c.status, c.status_reason, c.credits_remaining as balance, c.tier, c.unlimited,
            coalesce(o.openings, 0) as openings
        from user_credits c
        left join (
            select a.user_id, count(*)::integer as openings from audit_logs a where a.action = 'credit.create' group by a.user_id) o
            on o.user_id = c.user_id
        """;

    private const string KnownSql = "select keycloak_id, account_id, user_state from keycloak_users";

    private const string LedgerSql =
        """
        select t.id, coalesce(c.keycloak_id, t.user_id) as owner, t.amount, t.balance_after, t.transaction_type as type, t.grant_key,
            coalesce(t.metadata ->> 'chaos', t.metadata ->> 'litellm_call_id') as name,
            case when t.transaction_type = 'refund' then t.metadata ->> 'refunds' end as refunds, t.created_at as booked_at
        from credit_transactions t
        left join user_credits c on c.user_id = t.user_id
        order by 2, t.created_at, t.id
        """;

    private const string ReportsSql =
        """
        with reports as (
            select convert_from(record, 'UTF8')::jsonb as record from usage_refusals
            union all
            select e from usage_batches b cross join jsonb_array_elements(convert_from(b.body, 'UTF8')::jsonb) e
        )
        select record ->> 'litellm_call_id' as name, record -> 'metadata' ->> 'user_api_key_user_id' as user_id from reports
        """;

    private const string BacklogSql =
        """
        select 'hints that wait' as kind, count(*) as count from user_hints where state = 'waiting'
        union all select 'dead hints', count(*) from user_hints where state = 'dead'
        union all
        select 'grants that ended a minute ago and are not booked out', count(*) from credit_grants g
        join user_credits c on c.user_id = g.user_id
        where g.expires_at < now() - interval '1 minute' and g.closed_at is null and c.status <> 'closed'
        union all
        select 'accounts whose period ended and is not renewed', count(*) from user_credits
        where status = 'active' and not grant_pending and last_reset <= now() and last_reset > created_at
        union all select 'runs that began and did not end', count(*) from reconcile_runs
        where status = 'running' and started_at < now() - interval '2 minutes'
        """;

    private const string EventsSql =
        "select seq, id::text as id, account_id, type, data ->> 'grant' as grant from outbox order by seq";

    private const string CodesSql =
        """
        select g.name as campaign, c.id::text as id, c.max_redemptions as places, c.redeemed as taken, (
            select count(*) from code_redemptions r where r.code_id = c.id and not r.released) as redeemed
        from codes c join code_campaigns g on g.id = c.campaign_id
        """;

    private const string RedemptionsSql =
        """
        select coalesce(c.keycloak_id, r.user_id) as owner, g.name as campaign, r.code_id::text as code_id, r.state
        from code_redemptions r
        join code_campaigns g on g.id = r.campaign_id
        left join user_credits c on c.user_id = r.user_id
        """;

    private const string ReferralsSql =
        """
        select r.id::text as id, coalesce(a.keycloak_id, r.referrer) as referrer, coalesce(b.keycloak_id, r.referee) as referee, r.state
        from referrals r
        left join user_credits a on a.user_id = r.referrer
        left join user_credits b on b.user_id = r.referee
        """;

    static EvidenceStore() => DapperConventions.Apply();

    public async Task<IReadOnlyList<AccountState>> AccountsAsync() => [.. await connection.QueryAsync<AccountState>(AccountsSql)];

    public async Task<IReadOnlyList<KnownUser>> KnownUsersAsync() => [.. await connection.QueryAsync<KnownUser>(KnownSql)];

    /// <summary>The whole ledger, by account in the order of booking.</summary>
    public async Task<IReadOnlyList<LedgerEntryRow>> LedgerAsync() => [.. await connection.QueryAsync<LedgerEntryRow>(LedgerSql)];

    /// <summary>Reports of usage that were not charged: they wait, or were refused.</summary>
    public async Task<IReadOnlyList<UnchargedReport>> UnchargedReportsAsync() =>
        [.. await connection.QueryAsync<UnchargedReport>(ReportsSql)];

    public async Task<IReadOnlyList<CodeRow>> CodesAsync() => [.. await connection.QueryAsync<CodeRow>(CodesSql)];

    public async Task<IReadOnlyList<RedemptionRow>> RedemptionsAsync() => [.. await connection.QueryAsync<RedemptionRow>(RedemptionsSql)];

    public async Task<IReadOnlyList<ReferralRow>> ReferralsAsync() => [.. await connection.QueryAsync<ReferralRow>(ReferralsSql)];

    /// <summary>All events about credits, in the order of their places.</summary>
    public async Task<IReadOnlyList<EventRow>> EventsAsync() => [.. await connection.QueryAsync<EventRow>(EventsSql)];

    public async Task<IReadOnlyList<Backlog>> BacklogAsync() => [.. await connection.QueryAsync<Backlog>(BacklogSql)];

    /// <summary>The lots of all accounts, replayed.</summary>
    public async Task<IReadOnlyList<LotSum>> LotsAsync(IEnumerable<AccountState> accounts)
    {
        List<LotSum> sums = [];
        var now = DateTimeOffset.UtcNow;
        foreach (var batch in accounts.Select(account => new LockedAccount(account.AccountId, account.Balance, now)).Chunk(LotBatch))
        {
            var resumed = await LotStore.LoadAsync(connection, batch, fromStart: false, CancellationToken.None);
            var replayed = await LotStore.LoadAsync(connection, batch, fromStart: true, CancellationToken.None);
            sums.AddRange(batch.Select(account => new LotSum(
                account.AccountId, account.Balance, resumed[account.AccountId].Ledger.Balance, replayed[account.AccountId].Ledger.Balance,
                replayed[account.AccountId].Ledger.Lots.Any(lot => lot.Left < 0))));
        }

        return sums;
    }
}
