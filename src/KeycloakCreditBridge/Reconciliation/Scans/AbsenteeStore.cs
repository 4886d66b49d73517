using Dapper;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Provisioning;
using KeycloakCreditBridge.Reconciliation.Runs;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation.Scans;

/// <summary>
/// Users on record whom a complete reading did not show. That is a suspicion: nobody is closed before Keycloak was asked for them by id.
/// Who was looked at since the reading began is under none.
/// </summary>
internal sealed class AbsenteeStore(NpgsqlDataSource dataSource)
{
    private const string AddInWindowSql =
        """
        insert into reconcile_absent (run_id, keycloak_id)
        select @RunId::bigint, k.keycloak_id
        from keycloak_users k
        where k.realm = @Realm::text and k.disposition <> 'deleted' and k.keycloak_id not like 'f:%' and k.checked_at < @ReadAt::timestamptz
            and k.created_at >= '1970-01-01 00:00:00+00' and k.created_at between @From::timestamptz and @To::timestamptz
            and k.keycloak_id <> all (@Seen::text[])
        on conflict do nothing
        """;

    private const string AddSeenSql =
        """
        insert into reconcile_seen (run_id, keycloak_id)
        select @RunId::bigint, s.keycloak_id from unnest(@KeycloakIds::text[]) as s (keycloak_id)
        on conflict do nothing
        """;

    private const string SeenSql = "select count(*) from reconcile_seen where run_id = @RunId::bigint";

    private const string AddUnseenSql =
        """
        insert into reconcile_absent (run_id, keycloak_id)
        select @RunId::bigint, k.keycloak_id
        from keycloak_users k
        where k.realm = @Realm::text and k.disposition not in ('deleted', 'service_account') and k.checked_at < @StartedAt::timestamptz
            and (@Since::timestamptz is null or k.created_at is null or k.created_at >= @Since)
            and (not @Undated::boolean or k.created_at is null or k.created_at < '1970-01-01 00:00:00+00' or k.keycloak_id like 'f:%')
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
        select (select count(*) from reconcile_absent where run_id = @RunId::bigint) as absent,
            (select count(*) from keycloak_users where realm = @Realm::text and disposition <> 'deleted') as known
        """;

    private const string NextSql =
        """
        select keycloak_id from reconcile_absent where run_id = @RunId::bigint order by keycloak_id limit @Most::int
        """;

    private const string SettleSql = "delete from reconcile_absent where run_id = @RunId::bigint and keycloak_id = any (@KeycloakIds::text[])";

    /// <summary>Notes who is on record in a window that was read completely, and was not shown.</summary>
    public Task AddInWindowAsync(
        ReconcileRun run, string realm, CreatedWindow window, IReadOnlyList<Subject> shown, DateTimeOffset readAt, CancellationToken cancellationToken) =>
        ExecuteAsync(
            AddInWindowSql,
            new
            {
                RunId = run.Id,
                Realm = realm,
                ReadAt = readAt,
                From = KnownUserStore.Instant(window.From),
                To = KnownUserStore.Instant(window.To),
                Seen = Ids(shown),
            },
            cancellationToken);

    /// <summary>Notes whom a part of a listing showed.</summary>
    public Task AddSeenAsync(long runId, IReadOnlyList<Subject> shown, CancellationToken cancellationToken) =>
        ExecuteAsync(AddSeenSql, new { RunId = runId, KeycloakIds = Ids(shown.Where(subject => !subject.IsServiceAccount)) }, cancellationToken);

    /// <summary>How many people the run's listing has shown.</summary>
    public async Task<long> SeenAsync(long runId, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<long>(new CommandDefinition(SeenSql, new { RunId = runId }, cancellationToken: cancellationToken));
    }

    /// <summary>Notes who is on record, should have been shown by the run's listing, and was not.</summary>
    public Task AddUnseenAsync(ReconcileRun run, ReconcileRequest request, AbsenceScope scope, CancellationToken cancellationToken) =>
        ExecuteAsync(
            AddUnseenSql,
            new { RunId = run.Id, request.Realm, run.StartedAt, request.Since, Undated = scope == AbsenceScope.Undated },
            cancellationToken);

    /// <summary>Notes users whom the reading itself found missing.</summary>
    public Task AddAsync(long runId, IReadOnlyCollection<string> keycloakIds, CancellationToken cancellationToken) =>
        ExecuteAsync(AddSql, new { RunId = runId, KeycloakIds = keycloakIds.ToArray() }, cancellationToken);

    /// <summary>How many are noted, of how many on record.</summary>
    public async Task<AbsenceShare> CountAsync(long runId, string realm, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleAsync<AbsenceShare>(
            new CommandDefinition(CountSql, new { RunId = runId, Realm = realm }, cancellationToken: cancellationToken));
    }

    /// <summary>Some of those who are noted.</summary>
    public async Task<IReadOnlyList<string>> NextAsync(long runId, int most, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<string>(
            new CommandDefinition(NextSql, new { RunId = runId, Most = most }, cancellationToken: cancellationToken))];
    }

    /// <summary>Takes back notes that were followed.</summary>
    public Task SettleAsync(long runId, IReadOnlyCollection<string> keycloakIds, CancellationToken cancellationToken) =>
        ExecuteAsync(SettleSql, new { RunId = runId, KeycloakIds = keycloakIds.ToArray() }, cancellationToken);

    // An id with a zero character is on no record.
    private static string[] Ids(IEnumerable<Subject> subjects) =>
        [.. subjects.Select(subject => subject.KeycloakId).Where(id => !id.Contains('\0', StringComparison.Ordinal)).Distinct(StringComparer.Ordinal)];

    private async Task ExecuteAsync(string sql, object parameters, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(sql, parameters, cancellationToken: cancellationToken));
    }
}

/// <summary>Whom a listing should have shown.</summary>
internal enum AbsenceScope
{
    /// <summary>All people on record.</summary>
    Listed,

    /// <summary>Those whom no window shows: without a creation that can be asked for, or federated without import.</summary>
    Undated,
}

/// <param name="Absent">Users whom the run did not see.</param>
/// <param name="Known">Users on record in the realm.</param>
internal sealed record AbsenceShare(long Absent, long Known);
