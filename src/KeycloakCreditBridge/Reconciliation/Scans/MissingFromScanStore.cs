using Dapper;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Provisioning.Policy;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation.Scans;

/// <summary>
/// Users on record whom a complete reading did not show. That is a suspicion: nobody is closed before Keycloak was asked for them by id.
/// Who was looked at since the reading began is under none.
/// </summary>
internal sealed class MissingFromScanStore(NpgsqlDataSource dataSource)
{
    // Some look at everybody of a realm.
    private const int LongSeconds = 600;

    private const string AddInWindowSql =
        """
        insert into reconcile_absent (run_id, keycloak_id)
        select @RunId::bigint, k.keycloak_id
        from keycloak_users k
        where k.realm = @Realm::text and k.user_state <> 'deleted' and k.keycloak_id not like 'f:%' and k.checked_at < @ReadAt::timestamptz
            and k.created_at >= '1970-01-01 00:00:00+00' and k.created_at between @From::timestamptz and @To::timestamptz
            and not exists (select from unnest(@Seen::text[]) as s (id) where s.id = k.keycloak_id)
        on conflict do nothing
        """;

    private const string AddSeenSql =
        """
        insert into reconcile_seen (run_id, keycloak_id)
        select @RunId::bigint, s.keycloak_id from unnest(@KeycloakIds::text[]) as s (keycloak_id)
        on conflict do nothing
        """;

    // Federated users without import are in none of Keycloak's counts.
    private const string CountSeenSql = "select count(*) from reconcile_seen where run_id = @RunId::bigint and keycloak_id not like 'f:%'";

    private const string AddUnseenInWindowSql =
        """
        insert into reconcile_absent (run_id, keycloak_id)
        select @RunId::bigint, k.keycloak_id
        from keycloak_users k
        where k.realm = @Realm::text and k.user_state not in ('deleted', 'service_account') and k.keycloak_id not like 'f:%'
            and k.checked_at < @ReadAt::timestamptz
            and k.created_at >= '1970-01-01 00:00:00+00' and k.created_at between @From::timestamptz and @To::timestamptz
            and not exists (select from reconcile_seen s where s.run_id = @RunId::bigint and s.keycloak_id = k.keycloak_id)
        on conflict do nothing
        """;

    private const string ClearSeenSql = "delete from reconcile_seen where run_id = @RunId::bigint";

    private const string AddUnseenSql =
        """
        insert into reconcile_absent (run_id, keycloak_id)
        select @RunId::bigint, k.keycloak_id
        from keycloak_users k
        where k.realm = @Realm::text and k.user_state not in ('deleted', 'service_account') and k.checked_at < @StartedAt::timestamptz
            and (@Since::timestamptz is null or k.created_at is null or k.created_at >= @Since)
            and (@Federated::boolean or k.keycloak_id not like 'f:%')
            and not exists (select from reconcile_seen s where s.run_id = @RunId::bigint and s.keycloak_id = k.keycloak_id)
        on conflict do nothing
        """;

    // Two questions, each with an index of its own: there may be few of them among millions.
    private const string AddUnseenOutsideCreatedWindowsSql =
        """
        insert into reconcile_absent (run_id, keycloak_id)
        select @RunId::bigint, k.keycloak_id
        from (
            select u.keycloak_id, u.checked_at, u.user_state from keycloak_users u
            where u.realm = @Realm::text and (u.created_at is null or u.created_at < '1970-01-01 00:00:00+00') and u.user_state <> 'deleted'
                and u.keycloak_id not like 'f:%'
            union all
            select f.keycloak_id, f.checked_at, f.user_state from keycloak_users f
            where @Federated::boolean and f.realm = @Realm::text and f.keycloak_id >= 'f:' and f.keycloak_id < 'f;' and f.user_state <> 'deleted'
                and (@Since::timestamptz is null or f.created_at is null or f.created_at >= @Since)) k
        where k.user_state <> 'service_account' and k.checked_at < @StartedAt::timestamptz
            and not exists (select from reconcile_seen s where s.run_id = @RunId::bigint and s.keycloak_id = k.keycloak_id)
        on conflict do nothing
        """;

    private const string AddSql =
        """
        insert into reconcile_absent (run_id, keycloak_id)
        select @RunId::bigint, a.keycloak_id from unnest(@KeycloakIds::text[]) as a (keycloak_id)
        on conflict do nothing
        """;

    private const string CountSql =
        """
        select a.absent, case when a.absent > 0 then (
                select count(*) from keycloak_users where realm = @Realm::text and user_state <> 'deleted') else 0 end as known
        from (select count(*) as absent from reconcile_absent where run_id = @RunId::bigint) a
        """;

    private const string NextSql =
        """
        select keycloak_id from reconcile_absent where run_id = @RunId::bigint order by keycloak_id limit @Most::int
        """;

    private const string RemoveSql = "delete from reconcile_absent where run_id = @RunId::bigint and keycloak_id = any (@KeycloakIds::text[])";

    /// <summary>Notes who is on record in a window that was read completely, and was not shown.</summary>
    public Task AddInWindowAsync(
        ReconcileRun run, string realm, CreatedWindow window, IReadOnlyList<Subject> shown, DateTimeOffset readAt, CancellationToken cancellationToken)
    {
        var (from, to) = KnownUserStore.Bounds(window);
        return ExecuteAsync(
            AddInWindowSql,
            new { RunId = run.Id, Realm = realm, ReadAt = readAt, From = from, To = to, Seen = Ids(shown) },
            cancellationToken);
    }

    /// <summary>Notes whom a part of a listing showed.</summary>
    public Task AddSeenAsync(long runId, IReadOnlyList<Subject> shown, CancellationToken cancellationToken) =>
        ExecuteAsync(AddSeenSql, new { RunId = runId, KeycloakIds = Ids(shown.Where(subject => !subject.IsServiceAccount)) }, cancellationToken);

    /// <summary>Notes who is on record in a window, and not among those whom its listing showed.</summary>
    public Task AddUnseenInWindowAsync(ReconcileRun run, string realm, CreatedWindow window, DateTimeOffset readAt, CancellationToken cancellationToken)
    {
        var (from, to) = KnownUserStore.Bounds(window);
        return ExecuteAsync(AddUnseenInWindowSql, new { RunId = run.Id, Realm = realm, ReadAt = readAt, From = from, To = to }, cancellationToken);
    }

    /// <summary>Takes back the notes of a listing.</summary>
    public Task ClearSeenAsync(long runId, CancellationToken cancellationToken) => ExecuteAsync(ClearSeenSql, new { RunId = runId }, cancellationToken);

    /// <summary>How many people the run's listing has shown, as Keycloak counts.</summary>
    public async Task<long> CountSeenAsync(long runId, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<long>(new CommandDefinition(CountSeenSql, new { RunId = runId }, commandTimeout: LongSeconds, cancellationToken: cancellationToken));
    }

    /// <summary>Notes who is on record, should have been shown by the run's listing, and was not.</summary>
    /// <param name="run">The run.</param>
    /// <param name="request">What it was asked for.</param>
    /// <param name="scope">Whom it should have shown.</param>
    /// <param name="federated">Whether it shows people of a federation without import.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    public Task AddUnseenAsync(
        ReconcileRun run, RunRequest request, MissingScope scope, bool federated, CancellationToken cancellationToken) =>
        ExecuteAsync(
            scope == MissingScope.OutsideCreatedWindows ? AddUnseenOutsideCreatedWindowsSql : AddUnseenSql,
            new { RunId = run.Id, request.Realm, run.StartedAt, request.Since, Federated = federated },
            cancellationToken);

    /// <summary>Notes users whom the reading itself found missing.</summary>
    public Task AddAsync(long runId, IReadOnlyCollection<string> keycloakIds, CancellationToken cancellationToken) =>
        ExecuteAsync(AddSql, new { RunId = runId, KeycloakIds = keycloakIds.ToArray() }, cancellationToken);

    /// <summary>How many are noted, of how many on record.</summary>
    public async Task<MissingShare> CountAsync(long runId, string realm, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleAsync<MissingShare>(
            new CommandDefinition(CountSql, new { RunId = runId, Realm = realm }, commandTimeout: LongSeconds, cancellationToken: cancellationToken));
    }

    /// <summary>Some of those who are noted.</summary>
    public async Task<IReadOnlyList<string>> NextAsync(long runId, int most, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<string>(
            new CommandDefinition(NextSql, new { RunId = runId, Most = most }, cancellationToken: cancellationToken))];
    }

    /// <summary>Takes back notes that were followed.</summary>
    public Task RemoveAsync(long runId, IReadOnlyCollection<string> keycloakIds, CancellationToken cancellationToken) =>
        ExecuteAsync(RemoveSql, new { RunId = runId, KeycloakIds = keycloakIds.ToArray() }, cancellationToken);

    // An id with a zero character is on no record.
    private static string[] Ids(IEnumerable<Subject> subjects) =>
        [.. subjects.Select(subject => subject.KeycloakId).Where(id => !id.Contains('\0', StringComparison.Ordinal)).Distinct(StringComparer.Ordinal)];

    private async Task ExecuteAsync(string sql, object parameters, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(sql, parameters, commandTimeout: LongSeconds, cancellationToken: cancellationToken));
    }
}

/// <summary>Whom a listing should have shown.</summary>
internal enum MissingScope
{
    /// <summary>All people on record.</summary>
    Listed,

    /// <summary>Those whom no window shows: without a creation that can be asked for, or federated without import.</summary>
    OutsideCreatedWindows,
}

/// <param name="Absent">Users whom the run did not see.</param>
/// <param name="Known">Users on record in the realm.</param>
internal sealed record MissingShare(long Absent, long Known);
