using Dapper;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Provisioning.Policy;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation.Scans;

/// <summary>Users on record, counted as Keycloak counts.</summary>
internal sealed class KnownUserStore(NpgsqlDataSource dataSource)
{
    // Federated users without import are in none of Keycloak's counts, and their creation time is made up.
    private const string Counted = "realm = @Realm::text and user_state <> 'deleted' and keycloak_id not like 'f:%'";

    private const string Dated = $"{Counted} and created_at >= '1970-01-01 00:00:00+00'";

    private const string InWindow = $"{Dated} and created_at between @From::timestamptz and @To::timestamptz";

    private const string CountSql = $"select count(*) from keycloak_users where {InWindow}";

    // One query for both: where to halve a window, and how many users on record its first half has.
    private const string MiddleSql =
        $"""
        select m.created_at, (select count(*) from keycloak_users where {InWindow} and created_at < m.created_at) as before
        from (select created_at from keycloak_users where {InWindow} order by created_at offset @Half::bigint limit 1) m
        """;

    private const string NotAbsent =
        "not exists (select from reconcile_absent a where a.run_id = @RunId::bigint and a.keycloak_id = keycloak_users.keycloak_id)";

    // A user provisioned from a token gets its creation time from the hint that waits.
    private const string OutsideCreatedWindows =
        $"""
        {Counted} and (created_at is null or created_at < '1970-01-01 00:00:00+00') and user_state <> 'service_account'
            and not exists (
                select from user_hints h
                where h.realm = @Realm::text and h.keycloak_id = keycloak_users.keycloak_id and h.state = 'waiting')
        """;

    // Users that this run did not see no longer count.
    private const string CountOutsideCreatedWindowsSql =
        $"""
        select (select count(*) from keycloak_users where {OutsideCreatedWindows} and {NotAbsent}) as users,
            (select count(*) from keycloak_users
                where realm = @Realm::text and user_state = 'service_account' and created_at >= '1970-01-01 00:00:00+00' and {NotAbsent}) as
                    services
        """;

    private const string OutsideCreatedWindowsAfterSql =
        $"""
        select keycloak_id from keycloak_users where {OutsideCreatedWindows} and keycloak_id > @After::text
            order by keycloak_id limit @Most::int
        """;

    private const string FederatedAfterSql =
        """
        select keycloak_id from keycloak_users
        where realm = @Realm::text and keycloak_id >= 'f:' and keycloak_id < 'f;' and keycloak_id > @After::text and user_state <> 'deleted'
        order by keycloak_id limit @Most::int
        """;

    private const string CountKnownSql =
        "select count(*) from keycloak_users where realm = @Realm::text and keycloak_id = any (@KeycloakIds::text[]) and user_state <> " +
        "'deleted'";

    private const string ServiceAccountsSql =
        """
        select keycloak_id from keycloak_users
        where realm = @Realm::text and keycloak_id = any (@KeycloakIds::text[]) and user_state = 'service_account'
        """;

    /// <summary>How many users created in a window are on record, service accounts among them.</summary>
    public Task<long> CountAsync(string realm, CreatedWindow window, CancellationToken cancellationToken) =>
        QuerySingleAsync<long>(CountSql, Of(realm, window), cancellationToken);

    /// <summary>The middle one of a window's users by creation time; null when the window has fewer users by now.</summary>
    /// <param name="realm">The realm's name.</param>
    /// <param name="window">Must have users on record.</param>
    /// <param name="half">Half of how many it has.</param>
    /// <param name="cancellationToken">Ends the question.</param>
    public Task<WindowMiddle?> MiddleAsync(string realm, CreatedWindow window, long half, CancellationToken cancellationToken)
    {
        var parameters = new DynamicParameters(Of(realm, window));
        parameters.Add("Half", half);
        return QuerySingleAsync<WindowMiddle>(MiddleSql, parameters, cancellationToken);
    }

    /// <summary>Users that no window shows, and service accounts, which windows show and the count of a realm leaves out.</summary>
    public Task<RecordedOutsideCreatedWindows> CountOutsideCreatedWindowsAsync(
        string realm, long runId, CancellationToken cancellationToken) =>
        QuerySingleAsync<RecordedOutsideCreatedWindows>(
            CountOutsideCreatedWindowsSql, new { Realm = realm, RunId = runId }, cancellationToken)!;

    /// <summary>Ids of users that no window shows, some at a time.</summary>
    public Task<IReadOnlyList<string>> OutsideCreatedWindowsAfterAsync(
        string realm, string after, int most, CancellationToken cancellationToken) =>
        AfterAsync(OutsideCreatedWindowsAfterSql, realm, after, most, cancellationToken);

    /// <summary>Ids of federated users without import, some at a time.</summary>
    public Task<IReadOnlyList<string>> FederatedAfterAsync(string realm, string after, int most, CancellationToken cancellationToken) =>
        AfterAsync(FederatedAfterSql, realm, after, most, cancellationToken);

    /// <summary>How many of these are on record.</summary>
    public Task<long> CountKnownAsync(string realm, string[] keycloakIds, CancellationToken cancellationToken) =>
        QuerySingleAsync<long>(CountKnownSql, new { Realm = realm, KeycloakIds = keycloakIds }, cancellationToken);

    /// <summary>Which of these are service accounts on record.</summary>
    public async Task<HashSet<string>> ServiceAccountsAsync(string realm, string[] keycloakIds, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var found = await connection.QueryAsync<string>(new CommandDefinition(
            ServiceAccountsSql, new { Realm = realm, KeycloakIds = keycloakIds }, cancellationToken: cancellationToken));
        return found.ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>
    /// A window in terms of the records. Users created beyond the calendar are recorded at its end, and only a window that has all of them
    /// counts them.
    /// </summary>
    public static (DateTimeOffset From, DateTimeOffset To) Bounds(CreatedWindow window)
    {
        var hasEnd = window is { From: <= Subject.LastMillisecond, To: CreatedWindow.Unbounded };
        return (Instant(window.From), Instant(hasEnd ? Subject.LastMillisecond : Math.Min(window.To, Subject.LastMillisecond - 1)));

        static DateTimeOffset Instant(long milliseconds) =>
            DateTimeOffset.FromUnixTimeMilliseconds(Math.Min(milliseconds, Subject.LastMillisecond));
    }

    private static object Of(string realm, CreatedWindow window)
    {
        var (from, to) = Bounds(window);
        return new { Realm = realm, From = from, To = to };
    }

    private async Task<IReadOnlyList<string>> AfterAsync(
        string sql, string realm, string after, int most, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<string>(
            new CommandDefinition(sql, new { Realm = realm, After = after, Most = most }, cancellationToken: cancellationToken))];
    }

    private async Task<T?> QuerySingleAsync<T>(string sql, object parameters, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<T>(
            new CommandDefinition(sql, parameters, commandTimeout: 600, cancellationToken: cancellationToken));
    }
}

/// <param name="CreatedAt">When the middle one was created.</param>
/// <param name="Before">How many of the window were created before.</param>
internal sealed record WindowMiddle(DateTimeOffset CreatedAt, long Before);

/// <param name="Users">Users on record without a usable creation time.</param>
/// <param name="Services">Service accounts on record with one.</param>
internal sealed record RecordedOutsideCreatedWindows(long Users, long Services);
