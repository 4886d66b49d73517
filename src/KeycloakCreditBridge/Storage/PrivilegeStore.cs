using Dapper;
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

    // A relation or schema that is not there counts as one without the privilege: then to_regclass is null, and so is the answer.
    private const string MissingSql =
        """
        select w.privilege || ' on ' || w.relation as lacking
        from (
            select t.relation, p.privilege, has_table_privilege(to_regclass(t.relation), p.privilege) as granted
            from unnest(array['user_credits', 'credit_transactions', 'audit_logs', 'keycloak_users', 'user_hints', 'leases', 'poll_cursors',
                'reconcile_runs', 'granted_emails', 'usage_batches', 'usage_records', 'usage_refusals',
                'idempotency_keys', 'usage_refunds', 'reconcile_seen', 'reconcile_absent', 'overwritten_users']) as t (relation)
            cross join unnest(array['select', 'insert']) as p (privilege)
            union all
            select t.relation, 'update', has_table_privilege(to_regclass(t.relation), 'update')
            from unnest(array['user_credits', 'credit_transactions', 'audit_logs', 'granted_emails', 'keycloak_users', 'user_hints',
                'leases', 'poll_cursors', 'reconcile_runs', 'usage_batches', 'usage_refunds', 'overwritten_users']) as t (relation)
            union all
            select t.relation, 'delete', has_table_privilege(to_regclass(t.relation), 'delete')
            from unnest(array['keycloak_users', 'user_hints', 'leases', 'reconcile_runs', 'usage_batches', 'usage_records',
                'idempotency_keys', 'reconcile_seen', 'reconcile_absent', 'overwritten_users']) as t (relation)
            union all
            select 'replicas', p.privilege, has_table_privilege(to_regclass('replicas'), p.privilege)
            from unnest(array['select', 'insert', 'update', 'delete']) as p (privilege)
            union all
            select 'adoption', 'select', has_table_privilege(to_regclass('adoption'), 'select')
            union all
            select 'user_hints_version', 'usage', has_sequence_privilege(to_regclass('user_hints_version'), 'usage')
            union all
            select 'schema quartz', p.privilege, has_schema_privilege((select oid from pg_namespace where nspname = 'quartz'), p.privilege)
            from unnest(array['usage', 'create']) as p (privilege)) w
        where w.granted is not true
        order by 1
        """;

    public async Task<DatabaseServer> ServerAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleAsync<DatabaseServer>(new CommandDefinition(ServerSql, cancellationToken: cancellationToken));
    }

    /// <summary>Privileges that the service needs and has not, such as `insert on user_credits`.</summary>
    public async Task<IReadOnlyList<string>> MissingAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<string>(new CommandDefinition(MissingSql, cancellationToken: cancellationToken))];
    }
}

/// <param name="Version">As PostgreSQL reports it.</param>
/// <param name="ReadOnly">A standby, which takes no writes.</param>
/// <param name="Now">The time of its clock.</param>
internal sealed record DatabaseServer(string Version, int Major, bool ReadOnly, DateTimeOffset Now);
