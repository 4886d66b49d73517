using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Provisioning;

/// <summary>The only writer of accounts: converges a batch of users in one statement, which is one transaction.</summary>
internal sealed class AccountStore(NpgsqlDataSource dataSource)
{
    // One statement, so that account, ledger row, audit row, known user and settled hint stand or fall together. Every set that locks
    // rows is sorted: batches that lock the same rows in different orders deadlock. What makes it safe to repeat:
    // - an account is opened by ON CONFLICT DO NOTHING, and its grant is written only for an account opened here;
    // - an account whose row was removed by hand while its ledger stayed is opened with what the ledger says, not granted again;
    // - an older reading of Keycloak (`current` is false) changes no status and no known user;
    // - the bridge ends only a hold or a closing of its own.
    // A dead hint is settled by any later reading: what it could not do is done.
    // It runs by one kept plan for one user and for thousands, so whatever it reads it finds by an index, row by row of `wanted`; what it
    // inserted it takes from `returning`, and never joins it back.
    private const string ConvergeSql =
        """
        with wanted as (
            select w.*, coalesce(w.named_account, k.account_id) as account_id, coalesce(k.checked_at <= w.read_at, true) as current,
                k.keycloak_id is not null as known
            from unnest(@Realms::text[], @KeycloakIds::text[], @AccountIds::text[], @Dispositions::text[], @CreatedAts::timestamptz[],
                    @Tiers::text[], @Amounts::numeric[], @Caps::numeric[], @Unlimited::boolean[], @PeriodEnds::timestamptz[],
                    @ReadAts::timestamptz[], @Sources::text[], @HintVersions::bigint[])
                as w (realm, keycloak_id, named_account, disposition, created_at, tier, amount, monthly_cap, unlimited, period_end,
                    read_at, source, hint_version)
            left join keycloak_users k on k.realm = w.realm and k.keycloak_id = w.keycloak_id
        ),
        opened as (
            insert into user_credits (user_id, credits_remaining, credits_allocated, tier, monthly_cap, unlimited, last_reset,
                created_at, updated_at, status, status_reason, source)
            select w.account_id, coalesce(earlier.balance, 0) + case when earlier.granted then 0 else w.amount end, w.amount, w.tier,
                w.monthly_cap, w.unlimited, w.period_end, @Now::timestamptz, @Now,
                case w.disposition when 'held' then 'held' else 'active' end, case w.disposition when 'held' then 'disabled' end, w.source
            from wanted w
            left join lateral (
                select sum(t.amount) as balance, bool_or(t.grant_key = 'signup') as granted
                from credit_transactions t where t.user_id = w.account_id) earlier on true
            where w.disposition in ('account', 'held')
                and not exists (select from user_credits c where c.user_id = w.account_id)
            order by w.account_id collate "C"
            on conflict (user_id) do nothing
            returning user_id, credits_remaining, credits_allocated, tier, last_reset, source
        ),
        granted as (
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)
            select user_id, credits_allocated, credits_remaining, 'purchase',
                jsonb_build_object('tier', tier, 'reason', 'initial_allocation', 'source', source), @Now::timestamptz, 'signup'
            from opened
            on conflict (user_id, grant_key) do nothing
        ),
        turned as (
            select c.user_id, w.disposition, w.source
            from wanted w
            join user_credits c on c.user_id = w.account_id
            where w.current and w.disposition in ('account', 'held', 'deleted')
                and c.status <> case w.disposition when 'account' then 'active' when 'held' then 'held' else 'closed' end
                and (c.status = 'active' or c.status_reason in ('disabled', 'deleted'))
            order by c.user_id collate "C"
            for update of c
        ),
        changed as (
            update user_credits c
            set status = case t.disposition when 'account' then 'active' when 'held' then 'held' else 'closed' end,
                status_reason = case t.disposition when 'held' then 'disabled' when 'deleted' then 'deleted' end,
                updated_at = @Now
            from turned t
            where c.user_id = t.user_id
            returning c.user_id, c.status, t.source
        ),
        audited as (
            insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)
            select @Now::timestamptz, user_id, 'credit.create', 'success', 'user_credits', user_id,
                jsonb_build_object('tier', tier, 'allocated', credits_allocated, 'last_reset', last_reset, 'source', source)
            from opened
            union all
            select @Now, user_id, case status when 'active' then 'credit.reopen' when 'held' then 'credit.hold' else 'credit.close' end,
                'success', 'user_credits', user_id, jsonb_build_object('source', source)
            from changed
        ),
        judged as (
            insert into keycloak_users as k (realm, keycloak_id, account_id, created_at, disposition, checked_at)
            select w.realm, w.keycloak_id, w.account_id, w.created_at, w.disposition, w.read_at
            from wanted w
            where w.known or w.disposition <> 'deleted'
            order by w.realm collate "C", w.keycloak_id collate "C"
            on conflict (realm, keycloak_id) do update set
                account_id = coalesce(excluded.account_id, k.account_id), created_at = coalesce(excluded.created_at, k.created_at),
                disposition = excluded.disposition, checked_at = excluded.checked_at
            where k.checked_at <= excluded.checked_at
        ),
        settled as (
            delete from user_hints where ctid = any (array(
                select h.ctid from user_hints h
                join wanted w on h.realm = w.realm and h.keycloak_id = w.keycloak_id
                    and (h.version = w.hint_version or h.state = 'dead' and h.hinted_at <= w.read_at)
                for update of h skip locked))
        )
        select user_id as account_id, tier, credits_remaining as balance, true as opened, null as status from opened
        union all
        select user_id, null, null, false, status from changed
        """;

    // The status counts too: two readings that converge at the same moment can leave the older one's status beside the newer one's record.
    private const string DifferencesSql =
        """
        select u.keycloak_id, u.disposition in ('account', 'held') and c.user_id is null as missing
        from unnest(@Realms::text[], @KeycloakIds::text[], @AccountIds::text[], @Dispositions::text[])
            as u (realm, keycloak_id, account_id, disposition)
        left join keycloak_users k on k.realm = u.realm and k.keycloak_id = u.keycloak_id
        left join user_credits c on c.user_id = coalesce(u.account_id, k.account_id)
        where k.disposition is distinct from u.disposition
            or u.disposition in ('account', 'held') and (
                c.user_id is null
                or c.status <> case u.disposition when 'account' then 'active' else 'held' end
                    and (c.status = 'active' or c.status_reason in ('disabled', 'deleted')))
        """;

    /// <summary>Converges users to what was judged. Each user at most once in a batch.</summary>
    public Task<IReadOnlyList<Change>> ConvergeAsync(IReadOnlyList<Judgement> batch, DateTimeOffset now, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<Change>(
            ConvergeSql,
            [
                new NpgsqlParameter("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime },
                batch.Column("Realms", NpgsqlDbType.Text, item => item.Realm),
                batch.Column("KeycloakIds", NpgsqlDbType.Text, item => item.KeycloakId),
                batch.Column("AccountIds", NpgsqlDbType.Text, item => item.AccountId),
                batch.Column("Dispositions", NpgsqlDbType.Text, item => Text(item.Disposition)),
                batch.Column("CreatedAts", NpgsqlDbType.TimestampTz, item => item.CreatedAt?.UtcDateTime),
                batch.Column("Tiers", NpgsqlDbType.Text, item => item.Opening?.Tier),
                batch.Column("Amounts", NpgsqlDbType.Numeric, item => item.Opening?.Amount),
                batch.Column("Caps", NpgsqlDbType.Numeric, item => item.Opening?.MonthlyCap),
                batch.Column("Unlimited", NpgsqlDbType.Boolean, item => item.Opening?.Unlimited),
                batch.Column("PeriodEnds", NpgsqlDbType.TimestampTz, item => item.Opening?.PeriodEnd.UtcDateTime),
                batch.Column("ReadAts", NpgsqlDbType.TimestampTz, item => item.ReadAt.UtcDateTime),
                batch.Column("Sources", NpgsqlDbType.Text, item => item.Source),
                batch.Column("HintVersions", NpgsqlDbType.Bigint, item => item.HintVersion),
            ],
            cancellationToken);

    /// <summary>Which of these users are on record otherwise than judged, or not at all.</summary>
    public Task<IReadOnlyList<Difference>> DifferencesAsync(IReadOnlyList<Judgement> batch, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<Difference>(
            DifferencesSql,
            [
                batch.Column("Realms", NpgsqlDbType.Text, item => item.Realm),
                batch.Column("KeycloakIds", NpgsqlDbType.Text, item => item.KeycloakId),
                batch.Column("AccountIds", NpgsqlDbType.Text, item => item.AccountId),
                batch.Column("Dispositions", NpgsqlDbType.Text, item => Text(item.Disposition)),
            ],
            cancellationToken);

    private static string Text(Disposition disposition) => disposition switch
    {
        Disposition.Account => "account",
        Disposition.Held => "held",
        Disposition.ServiceAccount => "service_account",
        Disposition.Excluded => "excluded",
        Disposition.Deleted => "deleted",
        _ => throw new ArgumentOutOfRangeException(nameof(disposition), disposition, "No such disposition."),
    };
}
