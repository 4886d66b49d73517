using Dapper;
using KeycloakCreditBridge.Provisioning.Accounts;
using Npgsql;

namespace KeycloakCreditBridge.Adoption;

/// <summary>Joins the accounts of a batch of users in one transaction.</summary>
internal sealed class AdoptionStore(NpgsqlConnection connection, AdoptionTotalsStore totals, AdoptedEnds adoptedEnds)
{
    // A batch is read by index, while the totals before it needed sequential scans.
    private const string SettingsSql =
        """
        select set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false),
            set_config('enable_mergejoin', 'off', false)
        """;

    // In the order in which converging and renaming lock them.
    private const string LockUsersSql =
        """
        select 1 from keycloak_users k
        where (k.realm, k.keycloak_id) in (select g.realm, g.keycloak_id from adopting_groups g where g.grp = any (@Groups::bigint[]))
        order by k.realm collate "C", k.keycloak_id collate "C"
        for no key update
        """;

    private const string LockAccountsSql =
        """
        select 1 from user_credits c
        where c.user_id in (
            select m.account_id from adopting_members m where m.grp = any (@Groups::bigint[])
            union select g.target from adopting_groups g where g.grp = any (@Groups))
        order by c.user_id collate "C"
        for no key update
        """;

    // Accounts that were renamed, claimed or created since the users were listed are left to the next run.
    private const string UnchangedSql =
        """
        select g.grp from adopting_groups g
        where g.grp = any (@Groups::bigint[])
            and not exists (
                select from adopting_members m
                left join user_credits c on c.user_id = m.account_id
                where m.grp = g.grp and (m.present <> (c.user_id is not null) or g.realm is not null and c.keycloak_id is not null
                    and (c.realm <> g.realm or c.keycloak_id <> g.keycloak_id)))
            and not exists (
                select from user_credits c
                where c.user_id = g.target and c.user_id not in (select m.account_id from adopting_members m where m.grp = g.grp))
        """;

    // A grant key is unique in a ledger: a key that several joined ledgers have gets the id of its old ledger appended.
    private const string LedgerSql =
        """
        with entry as (
            select f.target, f.kept, t.id, t.user_id, t.grant_key, count(*) over (partition by f.grp, t.grant_key) > 1 as shared
            from adopting_totals f
            join adopting_members m on m.grp = f.grp
            join credit_transactions t on t.user_id = m.account_id
            where f.due
        )
        update credit_transactions t
        set user_id = e.target, grant_key = case
            when e.id = e.kept then 'signup'
            when e.grant_key is not null and e.shared and e.user_id <> e.target then e.grant_key || ':' || e.user_id
            else e.grant_key end
        from entry e
        where t.id = e.id and (t.user_id <> e.target or e.id = e.kept and t.grant_key is distinct from 'signup')
        """;

    // Tier, period and pro-rating are those of one account, the one with the largest allocation, because they explain each other. The
    // opening grant waits only where it waits in all of them. An operator's hold or closing of one of them stays.
    private const string AccountsSql =
        $"""
        update user_credits c
        set user_id = f.target, credits_remaining = f.balance - f.taken, realm = f.realm, keycloak_id = f.keycloak_id,
            credits_allocated = b.credits_allocated, tier = b.tier, monthly_cap = b.monthly_cap, unlimited = b.unlimited,
            created_at = b.created_at, last_reset = b.last_reset, pro_rated_until = b.pro_rated_until,
            pro_rated_credits = b.pro_rated_credits, pro_rated_debt = b.pro_rated_debt,
            (grant_pending, updated_at) = (
                select bool_and(o.grant_pending), max(o.updated_at)
                from adopting_members m join user_credits o on o.user_id = m.account_id where m.grp = f.grp),
            (status, status_reason) = (
                select o.status, o.status_reason
                from adopting_members m join user_credits o on o.user_id = m.account_id
                where m.grp = f.grp
                order by o.status <> 'active' and coalesce(o.status_reason, '') not in {StatusReasons.Own} desc, o.user_id = c.user_id desc
                limit 1)
        from adopting_totals f
        join user_credits b on b.user_id = f.best
        where c.user_id = f.survivor and f.realm is not null
            and (f.members > 1 or f.survivor <> f.target or f.taken <> 0 or c.realm is distinct from f.realm
                or c.keycloak_id is distinct from f.keycloak_id)
            and f.due
        """;

    private const string JoinedSql =
        """
        delete from user_credits c
        using adopting_totals f, adopting_members m
        where f.due and f.members > 1 and m.grp = f.grp and m.account_id <> f.survivor and c.user_id = m.account_id
        """;

    // The time of the last row that adoption books in an account's ledger. The order of the times is the order of booking.
    private const string BookingTimesSql =
        """
        update user_credits c
        set updated_at = credit_booking_time(@Now::timestamptz, c.updated_at)
            + case when f.kept is null and f.change <> 0 then interval '1 microsecond' else interval '0' end
        from adopting_totals f
        where c.user_id = f.target and f.due and f.members > 0
            and (f.members > 1 or f.taken <> 0 or f.kept is null or f.change <> 0)
        """;

    private const string OpeningsSql =
        """
        insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)
        select f.target, f.opening, f.total + f.opening, 'purchase',
            jsonb_build_object('tier', c.tier, 'reason', 'adopted', 'source', 'adopt'),
            c.updated_at - case when f.change <> 0 then interval '1 microsecond' else interval '0' end, 'signup'
        from adopting_totals f
        join user_credits c on c.user_id = f.target
        where f.due and f.kept is null and f.members > 0
        """;

    private const string AdjustmentsSql =
        """
        insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at)
        select f.target, f.change, f.balance - f.taken, 'adjustment', jsonb_strip_nulls(jsonb_build_object(
                'reason', 'adopted', 'source', 'adopt', 'balance_before', f.balance, 'ledger_before', f.total, 'openings_repeated',
                    nullif(f.repeated, 0),
                'joined', case when f.members > 1
                    then (select jsonb_agg(m.account_id order by m.account_id) from adopting_members m where m.grp = f.grp) end,
                'taken_back', nullif(f.taken, 0), 'not_taken_back', nullif(f.owed - f.taken, 0))),
            coalesce(c.updated_at, @Now::timestamptz)
        from adopting_totals f
        left join user_credits c on c.user_id = f.target
        where f.due and f.change <> 0
        """;

    private const string AuditRenameSql =
        """
        update audit_logs a
        set user_id = f.target, resource_id = case when a.resource_type = 'user_credits' then f.target else a.resource_id end
        from adopting_totals f
        join adopting_members m on m.grp = f.grp
        where f.due and m.account_id <> f.target and a.user_id = m.account_id
        """;

    private const string AuditSql =
        """
        insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)
        select @Now::timestamptz, f.target, 'credit.adopt', 'success', 'user_credits', f.target, jsonb_strip_nulls(jsonb_build_object(
            'source', 'adopt', 'accounts',
                (select jsonb_agg(m.account_id order by m.account_id) from adopting_members m where m.grp = f.grp),
            'realm', f.realm, 'keycloak_id', f.keycloak_id, 'balance_before', f.balance, 'balance', f.balance - f.taken, 'ledger_before',
                f.total,
            'opening', case when f.kept is null then f.opening end, 'adjustment', nullif(f.change, 0),
            'taken_back', nullif(f.taken, 0), 'not_taken_back', nullif(f.owed - f.taken, 0)))
        from adopting_totals f
        where f.due
        """;

    private const string UsersSql =
        """
        insert into keycloak_users as k (realm, keycloak_id, account_id, created_at, user_state, checked_at)
        select f.realm, f.keycloak_id, f.target, p.created_at, 'account', p.read_at
        from adopting_totals f
        cross join lateral (select x.created_at, x.read_at from adopting_users x where x.realm = f.realm
            and x.keycloak_id = f.keycloak_id limit 1) p
        where f.due and f.members > 0
        order by f.realm collate "C", f.keycloak_id collate "C"
        on conflict (realm, keycloak_id) do update
        set account_id = excluded.account_id, wanted_account_id = null,
            user_state = case when k.user_state = 'excluded' then 'account' else k.user_state end,
            reason = case when k.user_state = 'excluded' then null else k.reason end
        where k.account_id is distinct from excluded.account_id
        """;

    private const string AddressesSql =
        """
        insert into grant_claims (kind, hash, policy, first_user, at)
        select distinct on (p.claim_kind, p.claim_hash) p.claim_kind, p.claim_hash, 'welcome', f.target, @Now::timestamptz
        from adopting_totals f
        join adopting_users p on p.realm = f.realm and p.keycloak_id = f.keycloak_id
        where f.due and p.claim_hash is not null
        order by p.claim_kind, p.claim_hash, f.target
        on conflict (kind, hash, policy) do nothing
        """;

    private const string AddressRenameSql =
        """
        update grant_claims g set first_user = f.target
        from adopting_totals f
        join adopting_members m on m.grp = f.grp
        where f.due and m.account_id <> f.target and g.first_user = m.account_id
        """;

    // Records charged under any of the ids stay charged: a gateway may deliver them again under the old id or the new one.
    private const string RecordsSql =
        """
        insert into usage_records (user_id, record_id, charged_at)
        select f.target, r.record_id, min(r.charged_at)
        from adopting_totals f
        join adopting_members m on m.grp = f.grp
        join usage_records r on r.user_id = m.account_id
        where f.due and m.account_id <> f.target
        group by f.target, r.record_id
        order by f.target collate "C", r.record_id collate "C"
        on conflict (user_id, record_id) do nothing
        """;

    private static readonly string[] Steps =
    [
        LedgerSql, AccountsSql, JoinedSql, BookingTimesSql, OpeningsSql, AdjustmentsSql, AuditRenameSql, AuditSql, UsersSql,
        AddressRenameSql, AddressesSql, RecordsSql, .. AdoptionGrantStore.Steps,
    ];

    /// <summary>Prepares the session for batches.</summary>
    public Task BeginAsync(CancellationToken cancellationToken) =>
        connection.ExecuteAsync(new CommandDefinition(SettingsSql, cancellationToken: cancellationToken));

    /// <summary>Adopts these groups by their current state, and returns how many were done and how many are left to the next run.</summary>
    public async Task<(long Done, long Left)> AdoptAsync(long[] groups, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var wanted = new { Groups = groups };
        await connection.ExecuteAsync(new CommandDefinition(LockUsersSql, wanted, commandTimeout: 0, cancellationToken: cancellationToken));
        await connection.ExecuteAsync(
            new CommandDefinition(LockAccountsSql, wanted, commandTimeout: 0, cancellationToken: cancellationToken));
        long[] unchanged = [.. await connection.QueryAsync<long>(
            new CommandDefinition(UnchangedSql, wanted, cancellationToken: cancellationToken))];
        await totals.ComputeAsync(unchanged, cancellationToken);
        var due = await totals.DueAsync(cancellationToken);
        var fresh = await adoptedEnds.FreshAsync(connection, cancellationToken);
        foreach (var sql in Steps)
            await connection.ExecuteAsync(
                new CommandDefinition(sql, new { Now = now.UtcDateTime }, commandTimeout: 0, cancellationToken: cancellationToken));
        await adoptedEnds.GiveAsync(connection, fresh, now, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return (due.Length, groups.Length - unchanged.Length);
    }
}
