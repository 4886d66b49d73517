using Dapper;
using KeycloakCreditBridge.Configuration;
using Npgsql;

namespace KeycloakCreditBridge.Storage;

/// <summary>What server this is, and which privileges the bridge's role lacks.</summary>
internal sealed class PrivilegeStore(NpgsqlDataSource dataSource)
{
    private const string ServerSql =
        """
        select current_setting('server_version') as version, current_setting('server_version_num')::int / 10000 as major,
            pg_is_in_recovery() as read_only,
            clock_timestamp() as now
        """;

    // Exactly what the service, its jobs and the commands use; a test compares it with their statements. A relation or schema that is not
    // there counts as one without the privilege: then to_regclass is null, and so is the answer. Quartz's tables stand in the schema quartz
    // where the accounts are in public, else beside them.
    private const string NeededSql =
        """
        with place as (
            select case n.nspname when 'public' then 'quartz' else n.nspname end as schema
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.oid = to_regclass('user_credits')
        )
        select w.relation, w.privilege, coalesce(w.granted, false) as granted
        from (
            select t.relation, p.privilege, has_table_privilege(to_regclass(t.relation), p.privilege) as granted
            from unnest(array['user_credits', 'credit_transactions', 'audit_logs', 'keycloak_users', 'user_hints', 'leases', 'poll_cursors',
                'reconcile_runs', 'grant_claims', 'usage_batches', 'usage_records', 'usage_refusals',
                'idempotency_keys', 'usage_refunds', 'reconcile_seen', 'reconcile_absent', 'overwritten_users',
                'credit_grants', 'lot_checkpoints', 'grant_budgets', 'grant_policies', 'task_evidence', 'scheduled_evaluations',
                'attributions', 'referral_codes', 'referrals', 'referrers', 'code_campaigns', 'codes', 'code_redemptions', 'code_failures',
                'experiments', 'experiment_assignments', 'grant_holds', 'refused_grants', 'deliveries', 'analytics_funnel',
                'analytics_utm', 'analytics_waits', 'analytics_expiries', 'analytics_state', 'outbox_endpoints']) as t (relation)
            cross join unnest(array['select', 'insert']) as p (privilege)
            union all
            select t.relation, 'update', has_table_privilege(to_regclass(t.relation), 'update')
            from unnest(array['user_credits', 'keycloak_users', 'user_hints', 'leases', 'poll_cursors', 'reconcile_runs', 'usage_batches',
                'usage_records', 'usage_refusals', 'usage_refunds', 'idempotency_keys', 'overwritten_users', 'credit_grants',
                'lot_checkpoints', 'grant_budgets', 'grant_policies', 'scheduled_evaluations', 'referrals', 'referrers',
                'grant_claims', 'codes', 'code_redemptions', 'code_failures', 'experiments', 'experiment_assignments',
                'grant_holds', 'analytics_state', 'outbox_endpoints']) as t (relation)
            union all
            select t.relation, 'delete', has_table_privilege(to_regclass(t.relation), 'delete')
            from unnest(array['keycloak_users', 'user_hints', 'leases', 'reconcile_runs', 'usage_batches', 'usage_records',
                'usage_refusals', 'idempotency_keys', 'reconcile_seen', 'reconcile_absent', 'overwritten_users', 'analytics_funnel',
                'analytics_utm', 'analytics_waits', 'analytics_expiries', 'task_evidence', 'scheduled_evaluations',
                'code_failures', 'grant_claims', 'grant_holds', 'refused_grants', 'outbox']) as t (relation)
            union all
            select t.relation, p.privilege, has_table_privilege(to_regclass(t.relation), p.privilege)
            from unnest(array['replicas', 'page_sessions', 'unproven_deliveries', 'fraud_origins', 'fraud_registrations',
                'fraud_entries', 'outbox_waiting']) as t (relation)
            cross join unnest(array['select', 'insert', 'update', 'delete']) as p (privilege)
            union all
            select t.relation, 'select', has_table_privilege(to_regclass(t.relation), 'select')
            from unnest(array['adoption', 'schema_migrations', 'stopped_grants', 'outbox']) as t (relation)
            union all
            select 'function ' || f.name, 'execute', has_function_privilege(to_regprocedure(f.name), 'execute')
            from unnest(array['credit_make_delivery_days(timestamptz)', 'credit_drop_delivery_days(date)',
                'credit_require_lots(boolean)', 'credit_switch_events(text,jsonb)']) as f (name)
            union all
            select 'sequence user_hints_version', 'usage', has_sequence_privilege(to_regclass('user_hints_version'), 'usage')
            union all
            select t.relation, 'update', has_table_privilege(to_regclass(t.relation), 'update')
            from unnest(array['credit_transactions', 'audit_logs', 'task_evidence', 'attributions',
                'referral_codes', 'refused_grants', 'outbox']) as t (relation)
            where @Renames::boolean
            union all
            select 'schema ' || quote_ident(p.schema), 'usage', has_schema_privilege(n.oid, 'usage')
            from place p left join pg_namespace n on n.nspname = p.schema
            union all
            select 'schema ' || quote_ident(p.schema), 'create', has_schema_privilege(n.oid, 'create')
            from place p left join pg_namespace n on n.nspname = p.schema
            where not exists (select from pg_class c where c.relnamespace = n.oid and c.relname = 'qrtz_triggers')
            union all
            select quote_ident(p.schema) || '.' || quote_ident(c.relname), t.privilege, has_table_privilege(c.oid, t.privilege)
            from place p
            join pg_namespace n on n.nspname = p.schema
            join pg_class c on c.relnamespace = n.oid and c.relkind in ('r', 'p') and starts_with(c.relname, 'qrtz_')
            cross join unnest(array['select', 'insert', 'update', 'delete']) as t (privilege)) w
        order by 1, 2
        """;

    private const string CurrentSql = "select current_user";

    public async Task<DatabaseServer> ServerAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleAsync<DatabaseServer>(new CommandDefinition(ServerSql, cancellationToken: cancellationToken));
    }

    /// <summary>Privileges that the service needs and has not.</summary>
    /// <param name="renames">Whether an account id follows what users change: ledger and audit rows are renamed with their account.</param>
    /// <param name="cancellationToken">Ends the query.</param>
    public async Task<IReadOnlyList<NeededPrivilege>> MissingAsync(bool renames, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. (await NeededAsync(connection, renames, cancellationToken)).Where(needed => !needed.Granted)];
    }

    /// <summary>The statements that give these privileges to the role of this connection.</summary>
    public async Task<IReadOnlyList<string>> StatementsAsync(
        IReadOnlyCollection<NeededPrivilege> privileges, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var role = await connection.ExecuteScalarAsync<string>(new CommandDefinition(CurrentSql, cancellationToken: cancellationToken));
        return [.. Statements(privileges, role!)];
    }

    /// <summary>Gives a role all that the service needs.</summary>
    /// <exception cref="ConfigurationException">The role of this connection does not own the tables.</exception>
    public async Task GrantAsync(string role, bool renames, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        // PostgreSQL only warns a role that may not give what it has itself.
        var isRefused = false;
        connection.Notice += (_, raised) => isRefused |= raised.Notice.SqlState == "01007";
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        foreach (var statement in Statements(await NeededAsync(connection, renames, cancellationToken), role))
            await connection.ExecuteAsync(new CommandDefinition(statement, transaction: transaction, cancellationToken: cancellationToken));
        if (isRefused)
            throw new ConfigurationException([$"Role {role} was given nothing: run `migrate --grant-to` as the owner of the tables."]);
        await transaction.CommitAsync(cancellationToken);
    }

    private static IEnumerable<string> Statements(IEnumerable<NeededPrivilege> privileges, string role) =>
        privileges.GroupBy(needed => needed.Relation, StringComparer.Ordinal).Select(
            relation => $"grant {string.Join(", ", relation.Select(needed => needed.Privilege))} on {relation.Key} to {Quoted(role)}");

    private static string Quoted(string role) => $"\"{role.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static async Task<IReadOnlyList<NeededPrivilege>> NeededAsync(
        NpgsqlConnection connection, bool renames, CancellationToken cancellationToken) =>
        [.. await connection.QueryAsync<NeededPrivilege>(
            new CommandDefinition(NeededSql, new { Renames = renames }, cancellationToken: cancellationToken))];
}

/// <param name="Relation">A table, `schema x`, `sequence x` or `function x`.</param>
/// <param name="Privilege">Such as `insert`.</param>
/// <param name="Granted">Whether the role of the connection has it.</param>
internal sealed record NeededPrivilege(string Relation, string Privilege, bool Granted)
{
    public override string ToString() => $"{Privilege} on {Relation}";
}

/// <param name="Version">As PostgreSQL reports it.</param>
/// <param name="ReadOnly">A standby, which takes no writes.</param>
/// <param name="Now">The time of its clock.</param>
internal sealed record DatabaseServer(string Version, int Major, bool ReadOnly, DateTimeOffset Now);
