using Dapper;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Provisioning.Policy;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation.Scans;

/// <summary>Whom the bridge has on record, counted as Keycloak counts.</summary>
internal sealed class KnownUserStore(NpgsqlDataSource dataSource)
{
    // Federated users without import are in none of Keycloak's counts, and the creation that Keycloak tells of them is made up.
    private const string Counted = "realm = @Realm::text and user_state <> 'deleted' and keycloak_id not like 'f:%'";

    private const string Dated = $"{Counted} and created_at >= '1970-01-01 00:00:00+00'";

    private const string InWindow = $"{Dated} and created_at between @From::timestamptz and @To::timestamptz";

    private const string CountSql = $"select count(*) from keycloak_users where {InWindow}";

    // Both in one question: where to halve a window, and how many users of record the first half has.
    private const string MiddleSql =
        $"""
        select m.created_at, (select count(*) from keycloak_users where {InWindow} and created_at < m.created_at) as before
        from (select created_at from keycloak_users where {InWindow} order by created_at offset @Half::bigint limit 1) m
        """;

    private const string NotAbsent =
        "not exists (select from reconcile_absent a where a.run_id = @RunId::bigint and a.keycloak_id = keycloak_users.keycloak_id)";

    // Who was provisioned from a token is dated when Keycloak was asked for them.
    private const string OutsideCreatedWindows =
        $"""
        {Counted} and (created_at is null or created_at < '1970-01-01 00:00:00+00') and user_state <> 'service_account'
            and not exists (select from user_hints h where h.realm = @Realm::text and h.keycloak_id = keycloak_users.keycloak_id and h.state = 'waiting')
        """;

    // Whom this run found gone does not count any more.
    private const string CountOutsideCreatedWindowsSql =
        $"""
        select (select count(*) from keycloak_users where {OutsideCreatedWindows} and {NotAbsent}) as undated,
            (select count(*) from keycloak_users
                where realm = @Realm::text and user_state = 'service_account' and created_at >= '1970-01-01 00:00:00+00' and {NotAbsent}) as services
        """;

    private const string OutsideCreatedWindowsAfterSql =
        $"""
        select keycloak_id from keycloak_users where {OutsideCreatedWindows} and keycloak_id > @After::text order by keycloak_id limit @Most::int
        """;

    private const string FederatedAfterSql =
        """
        select keycloak_id from keycloak_users
        where realm = @Realm::text and keycloak_id >= 'f:' and keycloak_id < 'f;' and keycloak_id > @After::text and user_state <> 'deleted'
        order by keycloak_id limit @Most::int
        """;

    private const string CountKnownSql =
        "select count(*) from keycloak_users where realm = @Realm::text and keycloak_id = any (@KeycloakIds::text[]) and user_state <> 'deleted'";

    private const string ServiceAccountsSql =
        """
        select keycloak_id from keycloak_users
        where realm = @Realm::text and keycloak_id = any (@KeycloakIds::text[]) and user_state = 'service_account'
        """;

    /// <summary>How many users created in a window are on record, service accounts among them.</summary>
    public Task<long> CountAsync(string realm, CreatedWindow window, CancellationToken cancellationToken) =>
        QuerySingleAsync<long>(CountSql, Of(realm, window), cancellationToken);

    /// <summary>The middle one of a window's users by creation; null when it has fewer than it had.</summary>
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

    /// <summary>People whom no window shows, and service accounts, which windows show and the count of a realm's people leaves out.</summary>
    public Task<RecordedOutsideCreatedWindows> CountOutsideCreatedWindowsAsync(string realm, long runId, CancellationToken cancellationToken) =>
        QuerySingleAsync<RecordedOutsideCreatedWindows>(CountOutsideCreatedWindowsSql, new { Realm = realm, RunId = runId }, cancellationToken)!;

    /// <summary>Ids of people whom no window shows, some at a time.</summary>
    public Task<IReadOnlyList<string>> OutsideCreatedWindowsAfterAsync(string realm, string after, int most, CancellationToken cancellationToken) =>
        AfterAsync(OutsideCreatedWindowsAfterSql, realm, after, most, cancellationToken);

    /// <summary>Ids of people of a federation without import, some at a time.</summary>
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
    /// What a window is on record. Who was created behind the calendar is there at its end, and in no other window than one that has all of them.
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

    private async Task<IReadOnlyList<string>> AfterAsync(string sql, string realm, string after, int most, CancellationToken cancellationToken)
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

/// <param name="Undated">People on record without a creation that can be asked for.</param>
/// <param name="Services">Service accounts on record with one.</param>
internal sealed record RecordedOutsideCreatedWindows(long Undated, long Services);
