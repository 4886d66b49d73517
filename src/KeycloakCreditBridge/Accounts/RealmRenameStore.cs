using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Accounts;

/// <summary>
/// Moves all records of a realm to its new name, in one transaction. Runs that came between recorded the same users under the new name:
/// the older record of a user stands, and an account that such a run opened is closed.
/// </summary>
internal sealed class RealmRenameStore(NpgsqlDataSource dataSource, TimeProvider clock)
{
    private const string LockSql = "select credit_lock_realms()";

    private const string RealmsSql = "select distinct realm from keycloak_users union select distinct realm from poll_cursors order by 1";

    private const string RunningSql =
        """
        select name from leases
        where name in ('reconcile:' || @Old::text, 'reconcile:' || @New::text) and held_until > @Now::timestamptz
        limit 1
        """;

    private const string OverlapSql =
        """
        select count(*) as on_record, count(o.keycloak_id) as in_common
        from keycloak_users n
        left join keycloak_users o on o.realm = @Old::text and o.keycloak_id = n.keycloak_id
        where n.realm = @New::text
        """;

    private const string SecondSql =
        """
        select c.user_id as account_id, o.account_id as kept_id, c.credits_remaining as balance,
            exists (select from credit_transactions t where t.user_id = c.user_id and t.grant_key is null) as used
        from keycloak_users o
        join keycloak_users n on n.realm = @New::text and n.keycloak_id = o.keycloak_id and n.account_id <> o.account_id
        join user_credits c on c.user_id = n.account_id and c.realm = n.realm and c.keycloak_id = n.keycloak_id and c.status <> 'closed'
        where o.realm = @Old::text
        order by used desc, c.user_id
        """;

    private const string CloseSecondSql =
        """
        with closed as (
            update user_credits c set status = 'closed', status_reason = 'realm_renamed',
                updated_at = credit_booking_time(@Now::timestamptz, c.updated_at)
            where c.user_id = any (@Ids::text[])
            returning c.user_id
        )
        insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)
        select @Now, user_id, 'credit.close', 'success', 'user_credits', user_id,
            jsonb_build_object('source', 'realm rename', 'reason', 'realm_renamed')
        from closed
        """;

    // The record with the account stands, of two with an account the older one.
    private const string ForgetNewUsersSql =
        """
        delete from keycloak_users n using keycloak_users o
        where n.realm = @New::text and o.realm = @Old::text and o.keycloak_id = n.keycloak_id
            and (o.account_id is not null or n.account_id is null)
        """;

    private const string ForgetOldUsersSql =
        """
        delete from keycloak_users o using keycloak_users n
        where n.realm = @New::text and o.realm = @Old::text and o.keycloak_id = n.keycloak_id
        """;

    // A hint says no more than that its user is to be read.
    private const string ForgetHintsSql =
        """
        delete from user_hints o using user_hints n
        where n.realm = @New::text and o.realm = @Old::text and o.keycloak_id = n.keycloak_id
        """;

    // The cursor that is further back reads all that the other one has read.
    private const string ForgetCursorsSql =
        """
        delete from poll_cursors c using poll_cursors d
        where c.realm in (@Old::text, @New::text) and d.realm in (@Old, @New) and c.realm <> d.realm and c.stream = d.stream
            and (c.watermark > d.watermark or c.watermark = d.watermark and c.realm = @New)
        """;

    private const string ForgetOverwrittenSql =
        """
        delete from overwritten_users o using overwritten_users n
        where n.realm = @New::text and o.realm = @Old::text and o.keycloak_id = n.keycloak_id
        """;

    // What a policy gave counts from its first activation.
    private const string ForgetPoliciesSql =
        """
        with ended as (
            delete from grant_policies n using grant_policies o
            where n.realm = @New::text and o.realm = @Old::text and o.policy = n.policy
            returning n.policy, n.activated_at, n.disabled_at
        )
        update grant_policies o
        set activated_at = least(o.activated_at, e.activated_at), disabled_at = coalesce(o.disabled_at, e.disabled_at)
        from ended e
        where o.realm = @Old and o.policy = e.policy
        """;

    // What spoke of a user first stays.
    private const string ForgetRegistrationsSql =
        """
        delete from fraud_registrations n using fraud_registrations o
        where n.realm = @New::text and o.realm = @Old::text and o.keycloak_id = n.keycloak_id
        """;

    private const string ForgetOriginsSql =
        """
        delete from fraud_origins n using fraud_origins o
        where n.realm = @New::text and o.realm = @Old::text and o.keycloak_id = n.keycloak_id
        """;

    private const string ForgetTimesSql =
        """
        delete from scheduled_evaluations o using scheduled_evaluations n
        where n.realm = @New::text and o.realm = @Old::text and o.keycloak_id = n.keycloak_id and o.what = n.what
        """;

    // The budget of a rule belongs to its realm; what was given under either name counts.
    private const string MoveBudgetsSql =
        """
        with moved as (
            delete from grant_budgets b
            where starts_with(b.policy, @Old::text || ':welcome:') or starts_with(b.policy, @Old || ':task:')
            returning b.policy, b.day, b.given
        )
        insert into grant_budgets as b (policy, day, given)
        select @New::text || substr(m.policy, length(@Old) + 1), m.day, m.given from moved m
        on conflict (policy, day) do update set given = b.given + excluded.given
        """;

    // A request that is repeated after the renaming is answered as before.
    private const string MoveKeysSql =
        """
        update idempotency_keys i set caller = @New::text || substr(i.caller, length(@Old::text) + 1)
        where starts_with(i.caller, @Old || '/') and not exists (
            select from idempotency_keys k where k.caller = @New || substr(i.caller, length(@Old) + 1) and k.key = i.key)
        """;

    private const string MoveSql = "select relation, moved from credit_rename_realm(@Old::text, @New::text, @Dry::boolean) where moved > 0";

    private const string AuditSql =
        """
        insert into audit_logs (timestamp, action, result, resource_type, resource_id, metadata)
        values (@Now::timestamptz, 'realm.rename', 'success', 'realm', @New::text,
            jsonb_build_object('from', @Old::text, 'to', @New, 'users', @Users::bigint, 'closed', @Closed::bigint))
        """;

    /// <summary>The names of all realms on record.</summary>
    public async Task<IReadOnlyList<string>> RealmsAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<string>(new CommandDefinition(RealmsSql, cancellationToken: cancellationToken))];
    }

    /// <summary>A realm of the two that is reconciled now, or null.</summary>
    public async Task<string?> RunningAsync(string oldName, string newName, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var lease = await connection.ExecuteScalarAsync<string?>(new CommandDefinition(
            RunningSql, new { Old = oldName, New = newName, Now = clock.GetUtcNow() }, cancellationToken: cancellationToken));
        return lease?[(lease.IndexOf(':', StringComparison.Ordinal) + 1)..];
    }

    /// <summary>What renaming would move. It writes nothing and locks nothing.</summary>
    public async Task<RealmRename> PlanAsync(string oldName, string newName, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await ReadAsync(new Work(connection, null, oldName, newName, clock.GetUtcNow(), cancellationToken), dry: true);
    }

    /// <summary>Renames, all or nothing. Writers wait until it has ended.</summary>
    /// <param name="oldName">The name on record.</param>
    /// <param name="newName">The name that Keycloak has.</param>
    /// <param name="merge">Whether it may be done although the new name has other users.</param>
    /// <param name="cancellationToken">Ends the work before it is committed.</param>
    /// <returns>What was moved; nothing was when <see cref="RealmRename.AreTwoRealms"/> and no <paramref name="merge"/>.</returns>
    public async Task<RealmRename> RenameAsync(string oldName, string newName, bool merge, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var work = new Work(connection, transaction, oldName, newName, clock.GetUtcNow(), cancellationToken);
        await work.ExecuteAsync(LockSql);
        var plan = await ReadAsync(work, dry: true);
        if (plan.AreTwoRealms && !merge)
            return plan;
        await work.ExecuteAsync(CloseSecondSql, [.. plan.Second.Select(account => account.AccountId)]);
        await work.ExecuteAsync(ForgetNewUsersSql);
        await work.ExecuteAsync(ForgetOldUsersSql);
        await work.ExecuteAsync(ForgetHintsSql);
        await work.ExecuteAsync(ForgetCursorsSql);
        await work.ExecuteAsync(ForgetOverwrittenSql);
        await work.ExecuteAsync(ForgetPoliciesSql);
        await work.ExecuteAsync(ForgetTimesSql);
        await work.ExecuteAsync(ForgetRegistrationsSql);
        await work.ExecuteAsync(ForgetOriginsSql);
        await work.ExecuteAsync(MoveBudgetsSql);
        await work.ExecuteAsync(MoveKeysSql);
        var moved = await work.QueryAsync<MovedRows>(MoveSql, dry: false);
        var users = moved.Where(rows => rows.Relation == "keycloak_users").Sum(rows => rows.Moved);
        await work.ExecuteAsync(AuditSql, [], users, plan.Second.Count);
        await transaction.CommitAsync(cancellationToken);
        return plan with { Moved = moved };
    }

    private static async Task<RealmRename> ReadAsync(Work work, bool dry)
    {
        var overlap = (await work.QueryAsync<Overlap>(OverlapSql, dry))[0];
        var second = await work.QueryAsync<SecondAccount>(SecondSql, dry);
        return new RealmRename(await work.QueryAsync<MovedRows>(MoveSql, dry), overlap.OnRecord, overlap.InCommon, second);
    }

    private sealed record Overlap(long OnRecord, long InCommon);

    // A large realm takes minutes: no statement has a time limit.
    private sealed record Work(
        NpgsqlConnection Connection, NpgsqlTransaction? Transaction, string Old, string New, DateTimeOffset Now, CancellationToken Token)
    {
        public Task<int> ExecuteAsync(string sql, string[]? ids = null, long users = 0, long closed = 0) =>
            Connection.ExecuteAsync(Command(sql, new { Old, New, Now, Ids = ids ?? [], Users = users, Closed = closed }));

        public async Task<IReadOnlyList<T>> QueryAsync<T>(string sql, bool dry) =>
            [.. await Connection.QueryAsync<T>(Command(sql, new { Old, New, Dry = dry }))];

        private CommandDefinition Command(string sql, object parameters) =>
            new(sql, parameters, Transaction, commandTimeout: 0, cancellationToken: Token);
    }
}
