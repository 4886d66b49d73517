using Dapper;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Provisioning.Policy;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation.Scans;

/// <summary>
/// Users on record that a complete scan did not show. No account is closed before Keycloak was asked for the user by id. Users that were
/// read since the scan began are left out.
/// </summary>
internal sealed class MissingFromScanStore(NpgsqlDataSource dataSource)
{
    // Some statements read every user of a realm.
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
        where k.realm = @Realm::text and k.user_state <> 'deleted' and k.checked_at < @StartedAt::timestamptz
            and (k.user_state <> 'service_account' or exists (
                select from user_credits c
                where c.user_id = k.account_id and c.realm = k.realm and c.keycloak_id = k.keycloak_id and c.status <> 'closed'))
            and (@Since::timestamptz is null or k.created_at is null or k.created_at >= @Since)
            and (@Federated::boolean or k.keycloak_id not like 'f:%')
            and not exists (select from reconcile_seen s where s.run_id = @RunId::bigint and s.keycloak_id = k.keycloak_id)
        on conflict do nothing
        """;

    // Two queries, each with an index of its own: there may be few such users among millions.
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
            where @Federated::boolean and f.realm = @Realm::text and f.keycloak_id >= 'f:' and f.keycloak_id < 'f;'
                and f.user_state <> 'deleted'
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
        select a.not_shown, case when a.not_shown > 0 then (
                select count(*) from keycloak_users where realm = @Realm::text and user_state <> 'deleted') else 0 end as known,
            case when a.not_shown > 0 then (
                select count(*) from overwritten_users o
                join keycloak_users k on k.realm = o.realm and k.keycloak_id = o.keycloak_id
                where o.realm = @Realm::text and k.user_state <> 'deleted') else 0 end as overwritten
        from (select count(*) as not_shown from reconcile_absent where run_id = @RunId::bigint) a
        """;

    // Some senders report a user before the import commits: until the user is on record, no run has seen what the import replaced.
    private const string ForgetOverwrittenSql =
        """
        delete from overwritten_users o
        where o.realm = @Realm::text and o.overwritten_at < @StartedAt::timestamptz
            and (o.overwritten_at < @StartedAt - interval '7 days'
                or exists (select from keycloak_users k where k.realm = o.realm and k.keycloak_id = o.keycloak_id))
        """;

    private const string NextSql =
        """
        select keycloak_id from reconcile_absent where run_id = @RunId::bigint order by keycloak_id limit @Most::int
        """;

    private const string RemoveSql =
        "delete from reconcile_absent where run_id = @RunId::bigint and keycloak_id = any (@KeycloakIds::text[])";

    /// <summary>Notes users on record in a completely read window that it did not show.</summary>
    public Task AddInWindowAsync(
        ReconcileRun run, string realm, CreatedWindow window, IReadOnlyList<Subject> shown, DateTimeOffset readAt,
        CancellationToken cancellationToken)
    {
        var (from, to) = KnownUserStore.Bounds(window);
        return ExecuteAsync(
            AddInWindowSql,
            new { RunId = run.Id, Realm = realm, ReadAt = readAt, From = from, To = to, Seen = Ids(shown) },
            cancellationToken);
    }

    /// <summary>Notes the users that a part of a listing showed.</summary>
    public Task AddSeenAsync(long runId, IReadOnlyList<Subject> shown, CancellationToken cancellationToken) =>
        ExecuteAsync(
            AddSeenSql, new { RunId = runId, KeycloakIds = Ids(shown.Where(subject => !subject.IsServiceAccount)) }, cancellationToken);

    /// <summary>Notes users on record in a window that its listing did not show.</summary>
    public Task AddUnseenInWindowAsync(
        ReconcileRun run, string realm, CreatedWindow window, DateTimeOffset readAt, CancellationToken cancellationToken)
    {
        var (from, to) = KnownUserStore.Bounds(window);
        return ExecuteAsync(
            AddUnseenInWindowSql, new { RunId = run.Id, Realm = realm, ReadAt = readAt, From = from, To = to }, cancellationToken);
    }

    /// <summary>Removes the notes of a listing.</summary>
    public Task ClearSeenAsync(long runId, CancellationToken cancellationToken) =>
        ExecuteAsync(ClearSeenSql, new { RunId = runId }, cancellationToken);

    /// <summary>How many users the run's listing has shown, as Keycloak counts.</summary>
    public async Task<long> CountSeenAsync(long runId, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<long>(
            new CommandDefinition(CountSeenSql, new { RunId = runId }, commandTimeout: LongSeconds, cancellationToken: cancellationToken));
    }

    /// <summary>Notes users on record that the run's listing should have shown and did not.</summary>
    /// <param name="run">The run.</param>
    /// <param name="request">Its request.</param>
    /// <param name="scope">The users that it should have shown.</param>
    /// <param name="federated">Whether it shows federated users without import.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    public Task AddUnseenAsync(
        ReconcileRun run, RunRequest request, MissingScope scope, bool federated, CancellationToken cancellationToken) =>
        ExecuteAsync(
            scope == MissingScope.OutsideCreatedWindows ? AddUnseenOutsideCreatedWindowsSql : AddUnseenSql,
            new { RunId = run.Id, request.Realm, run.StartedAt, request.Since, Federated = federated },
            cancellationToken);

    /// <summary>Notes users that the scan itself found missing.</summary>
    public Task AddAsync(long runId, IReadOnlyCollection<string> keycloakIds, CancellationToken cancellationToken) =>
        ExecuteAsync(AddSql, new { RunId = runId, KeycloakIds = keycloakIds.ToArray() }, cancellationToken);

    /// <summary>How many are noted, of how many on record.</summary>
    public async Task<MissingShare> CountAsync(long runId, string realm, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleAsync<MissingShare>(
            new CommandDefinition(
                CountSql, new { RunId = runId, Realm = realm }, commandTimeout: LongSeconds, cancellationToken: cancellationToken));
    }

    /// <summary>Forgets overwritten users that a complete run has taken into account, and those that never came in a week.</summary>
    public Task ForgetOverwrittenAsync(string realm, DateTimeOffset startedAt, CancellationToken cancellationToken) =>
        ExecuteAsync(ForgetOverwrittenSql, new { Realm = realm, StartedAt = startedAt }, cancellationToken);

    /// <summary>Some of the noted users.</summary>
    public async Task<IReadOnlyList<string>> NextAsync(long runId, int most, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<string>(
            new CommandDefinition(NextSql, new { RunId = runId, Most = most }, cancellationToken: cancellationToken))];
    }

    /// <summary>Removes notes that are done.</summary>
    public Task RemoveAsync(long runId, IReadOnlyCollection<string> keycloakIds, CancellationToken cancellationToken) =>
        ExecuteAsync(RemoveSql, new { RunId = runId, KeycloakIds = keycloakIds.ToArray() }, cancellationToken);

    // An id with a zero character is on no record.
    private static string[] Ids(IEnumerable<Subject> subjects) =>
        [
            .. subjects.Select(subject => subject.KeycloakId)
                .Where(id => !id.Contains('\0', StringComparison.Ordinal))
                .Distinct(StringComparer.Ordinal),
        ];

    private async Task ExecuteAsync(string sql, object parameters, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(
            new CommandDefinition(sql, parameters, commandTimeout: LongSeconds, cancellationToken: cancellationToken));
    }
}

/// <summary>The users that a listing should have shown.</summary>
internal enum MissingScope
{
    /// <summary>All users on record.</summary>
    Listed,

    /// <summary>Users that no window shows: without a usable creation time, or federated without import.</summary>
    OutsideCreatedWindows,
}

/// <param name="NotShown">Users that the run did not see.</param>
/// <param name="Known">Users on record in the realm.</param>
/// <param name="Overwritten">Users on record that a partial import put in the place of others of the same names.</param>
internal sealed record MissingShare(long NotShown, long Known, long Overwritten);
