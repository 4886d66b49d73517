using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Provisioning.Accounts;

/// <summary>
/// Converges a batch of users in one statement, which is one transaction. Only renames of accounts and switches of their tiers are written
/// elsewhere, the latter in the same transaction.
/// </summary>
internal sealed class AccountStore(NpgsqlDataSource dataSource, TierCatalogue tiers)
{
    /// <summary>
    /// What judgements (`judgement`) come to beside what is on record (`wanted`). The account on record stands until it is renamed; a rule
    /// that leaves somebody out takes away no account; an account of somebody else is nobody's to use, hold or close.
    /// </summary>
    /// <remarks>`offset 0` keeps the planner from putting each expression wherever its name stands, which is many times.</remarks>
    internal const string Decision =
        """
        seen as (
            select j.*, k.keycloak_id is not null as known, coalesce(k.checked_at <= j.read_at, true) as current,
                k.account_id as recorded, k.user_state as recorded_state, k.reason as recorded_reason,
                k.created_at as recorded_creation,
                coalesce(k.account_id, j.named_account) as account_id, c.user_id is not null as present, c.status, c.status_reason,
                c.realm as owner_realm, c.keycloak_id as owner_id,
                case
                    when c.user_id is null or c.realm = j.realm and c.keycloak_id = j.keycloak_id then 'mine'
                    when c.keycloak_id is null and (j.unproven is not true or k.account_id = c.user_id) then 'nobody'
                    when j.inherits and (select o.user_state = 'deleted' from keycloak_users o where o.realm = c.realm and o.keycloak_id = c.keycloak_id)
                        then 'gone'
                    else 'other' end as owner,
                j.renames and c.user_id is not null and k.account_id <> j.named_account as collides
            from judgement j
            left join keycloak_users k on k.realm = j.realm and k.keycloak_id = j.keycloak_id
            left join user_credits c on c.user_id = coalesce(k.account_id, j.named_account)
            offset 0
        ),
        placed as (
            select s.*,
                case
                    when s.judged in ('deleted', 'service_account') then s.judged
                    when s.owner = 'other' then 'excluded'
                    when s.judged = 'excluded' and s.present then s.otherwise
                    when s.collides then 'held'
                    else s.judged end as user_state,
                case
                    when s.judged in ('deleted', 'service_account') then null
                    when s.owner = 'other' or s.collides then 'account_id_taken'
                    when s.judged = 'excluded' and not s.present then s.why end as reason
            from seen s
            offset 0
        ),
        wanted as (
            select p.*, p.state in ('active', 'held') and p.current and not p.present as opens,
                p.state in ('active', 'held') and p.current and p.owner in ('nobody', 'gone') as takes,
                p.state is not null and p.current and p.present and p.owner <> 'other' and (
                    p.state <> 'closed' and p.owner in ('nobody', 'gone')
                    or (p.status <> p.state or p.status = 'held' and p.status_reason <> p.state_reason)
                        and (p.status = 'active' or p.status_reason in ('disabled', 'deleted', 'account_id_taken'))) as turns
            from (
                select d.*, case d.user_state when 'account' then 'active' when 'held' then 'held' when 'deleted' then 'closed' end as state,
                    case d.user_state when 'held' then coalesce(d.reason, 'disabled') when 'deleted' then 'deleted' end as state_reason
                from placed d
                offset 0) p
        )
        """;

    // One statement, so that account, ledger row, audit row, known user and settled hint stand or fall together. Every set that locks
    // rows is sorted: batches that lock the same rows in different orders deadlock. What makes it safe to repeat:
    // - an account is opened by ON CONFLICT, and its grant is written only for an account opened here; one that another replica opened for
    //   the same user meanwhile counts as opened, one that is somebody else's leaves the user out;
    // - an address is claimed before its account is opened, and an account whose address another one claimed is granted nothing;
    // - an account whose row was removed by hand while its ledger stayed is opened with what the ledger says, not granted again;
    // - an older reading of Keycloak (`current` is false) changes no account and no known user, and settles no hint;
    // - the bridge ends only a hold or a closing of its own.
    // A dead hint is settled by any later reading: what it could not do is done. Hints are waited for: a claim that began before these were
    // claimed locks them for a moment and takes none of them, and whoever skipped them would leave them to the end of their lease.
    // It runs by one kept plan for one user and for thousands, so whatever it reads it finds by an index, row by row of `wanted`; what it
    // inserted it takes from `returning`, and never joins it back.
    private const string ConvergeSql =
        $"""
        with judgement as (
            select * from unnest(@Realms::text[], @KeycloakIds::text[], @AccountIds::text[], @Dispositions::text[], @Reasons::text[],
                    @Otherwise::text[], @Renames::boolean[], @Inherits::boolean[], @Unproven::boolean[], @Forfeits::boolean[], @EmailHashes::bytea[],
                    @Glimpses::smallint[], @CreatedAts::timestamptz[], @Tiers::text[], @Amounts::numeric[], @Caps::numeric[],
                    @Unlimited::boolean[], @PeriodEnds::timestamptz[], @ReadAts::timestamptz[], @Sources::text[], @HintVersions::bigint[])
                as j (realm, keycloak_id, named_account, judged, why, otherwise, renames, inherits, unproven, forfeits, email_hash, brief_fingerprint, created_at,
                    tier, amount, monthly_cap, unlimited, period_end, read_at, source, hint_version)
        ),
        {Decision},
        opening as (
            select distinct on (w.account_id collate "C") w.account_id, w.realm, w.keycloak_id, w.email_hash, w.amount, w.tier, w.monthly_cap,
                w.unlimited, w.period_end, w.state, w.state_reason, w.source, coalesce(earlier.balance, 0) as balance, earlier.granted
            from wanted w
            left join lateral (
                select sum(t.amount) as balance, bool_or(t.grant_key = 'signup') as granted
                from credit_transactions t where t.user_id = w.account_id) earlier on true
            where w.opens
            order by w.account_id collate "C", w.known desc, w.realm collate "C", w.keycloak_id collate "C"
        ),
        claimed as (
            insert into granted_emails (email_hash, account_id, granted_at)
            select distinct on (e.email_hash) e.email_hash, e.account_id, @Now::timestamptz
            from (
                select o.email_hash, o.account_id from opening o where o.email_hash is not null
                union all
                select w.email_hash, w.account_id from wanted w
                where w.email_hash is not null and w.present and w.current and w.state in ('active', 'held') and w.owner = 'mine'
                    and (select g.account_id from granted_emails g where g.account_id = w.account_id limit 1) is null) e
            order by e.email_hash, e.account_id collate "C"
            on conflict (email_hash) do nothing
            returning email_hash, account_id
        ),
        opened as (
            insert into user_credits as c (user_id, credits_remaining, credits_allocated, tier, monthly_cap, unlimited, last_reset,
                created_at, updated_at, status, status_reason, source, realm, keycloak_id)
            select o.account_id, o.balance + case when o.granted then 0 else o.granting end, o.granting, o.tier, o.monthly_cap, o.unlimited,
                o.period_end, @Now::timestamptz, @Now, o.state, o.state_reason, o.source, o.realm, o.keycloak_id
            from (
                select p.*, case
                    when p.email_hash is null then p.amount
                    when (p.email_hash, p.account_id) in (select email_hash, account_id from claimed) then p.amount
                    when (select g.account_id from granted_emails g where g.email_hash = p.email_hash) = p.account_id then p.amount
                    else 0 end as granting
                from opening p
                offset 0) o
            order by o.account_id collate "C"
            on conflict (user_id) do update set realm = excluded.realm, keycloak_id = excluded.keycloak_id
            where c.keycloak_id is null or c.realm = excluded.realm and c.keycloak_id = excluded.keycloak_id
            returning user_id, credits_remaining, credits_allocated, tier, last_reset, source, realm, keycloak_id, xmax = 0 as inserted
        ),
        granted as (
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)
            select user_id, credits_allocated, credits_remaining, 'purchase',
                jsonb_build_object('tier', tier, 'reason', case
                        when credits_allocated = 0 and user_id in (select o.account_id from opening o where o.amount > 0) then 'address_granted_before'
                        else 'initial_allocation' end,
                    'source', source), @Now::timestamptz, 'signup'
            from opened
            where inserted
            on conflict (user_id, grant_key) do nothing
        ),
        turned as (
            select c.user_id, w.realm, w.keycloak_id, w.state, w.state_reason, w.source, w.owner = 'gone' as inherited,
                (c.status <> w.state or c.status = 'held' and c.status_reason <> w.state_reason)
                    and (c.status = 'active' or c.status_reason in ('disabled', 'deleted', 'account_id_taken')) as turns,
                case when w.forfeits and w.state = 'closed' then greatest(c.credits_remaining, 0) else 0 end as forfeited
            from wanted w
            join user_credits c on c.user_id = w.account_id
            where w.turns
                and (c.keycloak_id is null or c.realm = w.realm and c.keycloak_id = w.keycloak_id
                    or w.owner = 'gone' and c.realm = w.owner_realm and c.keycloak_id = w.owner_id)
                and (w.takes or (c.status <> w.state or c.status = 'held' and c.status_reason <> w.state_reason)
                    and (c.status = 'active' or c.status_reason in ('disabled', 'deleted', 'account_id_taken')))
            order by c.user_id collate "C"
            for update of c
        ),
        changed as (
            update user_credits c
            set status = case when t.turns then t.state else c.status end,
                status_reason = case when t.turns then t.state_reason else c.status_reason end,
                realm = t.realm, keycloak_id = t.keycloak_id, credits_remaining = c.credits_remaining - t.forfeited, updated_at = @Now
            from turned t
            where c.user_id = t.user_id
            returning c.user_id, c.realm, c.keycloak_id, c.status, c.status_reason, c.credits_remaining, t.source, t.turns, t.inherited, t.forfeited
        ),
        forfeited as (
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at)
            select user_id, -forfeited, credits_remaining, 'adjustment', jsonb_build_object('reason', 'account_closed', 'source', source), @Now::timestamptz
            from changed
            where forfeited > 0
        ),
        audited as (
            insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)
            select @Now::timestamptz, user_id, 'credit.create', 'success', 'user_credits', user_id,
                jsonb_build_object('tier', tier, 'allocated', credits_allocated, 'last_reset', last_reset, 'source', source)
            from opened
            where inserted
            union all
            select @Now, user_id,
                case when inherited then 'credit.inherit' when status = 'active' then 'credit.reopen' when status = 'held' then 'credit.hold' else 'credit.close' end,
                'success', 'user_credits', user_id, jsonb_strip_nulls(jsonb_build_object(
                    'source', source, 'reason', status_reason, 'forfeited', nullif(forfeited, 0)))
            from changed
            where turns or inherited
        ),
        judged as (
            insert into keycloak_users as k (realm, keycloak_id, account_id, created_at, user_state, checked_at, reason, wanted_account_id, brief_fingerprint)
            select w.realm, w.keycloak_id, case when not w.lost and w.user_state <> 'excluded' then w.account_id end, w.created_at,
                case when w.lost then 'excluded' else w.user_state end, w.read_at, case when w.lost then 'account_id_taken' else w.reason end,
                case when w.collides and w.reason = 'account_id_taken' then w.named_account end, w.brief_fingerprint
            from (
                select x.*, (x.opens or x.takes) and (x.realm, x.keycloak_id) not in (
                        select o.realm, o.keycloak_id from opened o union all select c.realm, c.keycloak_id from changed c) as lost
                from wanted x
                offset 0) w
            where w.known or w.user_state <> 'deleted'
            order by w.realm collate "C", w.keycloak_id collate "C"
            on conflict (realm, keycloak_id) do update set
                account_id = case when excluded.user_state = 'excluded' and excluded.reason = 'account_id_taken' then null
                    else coalesce(k.account_id, excluded.account_id) end,
                created_at = coalesce(excluded.created_at, k.created_at), user_state = excluded.user_state, checked_at = excluded.checked_at,
                reason = excluded.reason, wanted_account_id = excluded.wanted_account_id, brief_fingerprint = excluded.brief_fingerprint
            where k.checked_at <= excluded.checked_at
        ),
        settled as (
            delete from user_hints where ctid = any (array(
                select h.ctid from user_hints h
                join wanted w on h.realm = w.realm and h.keycloak_id = w.keycloak_id and w.current
                    and (h.version = w.hint_version or h.state = 'dead' and h.hinted_at <= w.read_at)
                order by h.realm, h.keycloak_id
                for update of h))
        )
        select user_id as account_id, tier, credits_remaining as balance, true as opened, null as status from opened where inserted
        union all
        select user_id, null, null, false, status from changed where turns
        """;

    /// <summary>Converges users to what was judged. Each user at most once in a batch.</summary>
    public async Task<IReadOnlyList<AccountChange>> ConvergeAsync(IReadOnlyList<DesiredState> batch, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (!batch.Any(BatchLockStore.NeedsLock))
            return await dataSource.QueryPreparedAsync<AccountChange>(ConvergeSql, Parameters(batch, now), cancellationToken);
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await BatchLockStore.LockAsync(connection, batch, cancellationToken);
        var changes = await connection.QueryPreparedAsync<AccountChange>(ConvergeSql, Parameters(batch, now), cancellationToken);
        var switches = await TierFollowStore.FollowAsync(connection, batch, tiers.ProRating, now, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return [.. changes, .. switches];
    }

    private static NpgsqlParameter[] Parameters(IReadOnlyList<DesiredState> batch, DateTimeOffset now) =>
        [new NpgsqlParameter("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime }, .. DesiredStateColumns.Of(batch), .. DesiredStateColumns.OpeningOf(batch)];
}
