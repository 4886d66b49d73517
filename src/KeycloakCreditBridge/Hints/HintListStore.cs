using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Hints;

/// <summary>The table of hints as an operator reads and changes it.</summary>
internal sealed class HintListStore(NpgsqlDataSource dataSource, TimeProvider clock)
{
    private const string ListSql =
        """
        select realm, keycloak_id, state, kind, cause, source, hinted_at, due_at, attempts, error, count(*) over () as total
        from user_hints
        where (@Realm::text is null or realm = @Realm) and (@State::text is null or state = @State)
        order by state, hinted_at, realm, keycloak_id
        limit @Limit
        """;

    private const string OfUsersSql =
        """
        select realm, keycloak_id, state, kind, cause, source, hinted_at, due_at, attempts, error, count(*) over () as total
        from user_hints
        where realm = any (@Realms::text[]) and keycloak_id = any (@Users::text[])
        order by realm, keycloak_id
        """;

    // A new version, so that a worker that holds the hint by an older one completes nothing. The time of the hint stays: since then the
    // user waits. Locked in the order in which every other statement locks hints.
    private const string RetrySql =
        """
        with chosen as (
            select realm, keycloak_id from user_hints
            where (@Realm::text is null or realm = @Realm)
                and case when @AllDead::boolean then state = 'dead' else keycloak_id = any (@Users::text[]) end
            order by realm, keycloak_id
            for update),
        renewed as (
            update user_hints h
            set version = nextval('user_hints_version'), due_at = @Now, attempts = 0, state = 'waiting', error = null
            from chosen c
            where h.realm = c.realm and h.keycloak_id = c.keycloak_id
            returning h.keycloak_id)
        select keycloak_id from renewed, (select pg_notify('user_hints', '') where exists (select from renewed)) woken
        """;

    private const string DropSql =
        """
        with chosen as (
            select realm, keycloak_id from user_hints
            where realm = @Realm and keycloak_id = any (@Users::text[])
            order by realm, keycloak_id
            for update),
        dropped as (
            delete from user_hints h using chosen c
            where h.realm = c.realm and h.keycloak_id = c.keycloak_id
            returning h.*),
        audited as (
            insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)
            select @Now::timestamptz, coalesce(k.account_id, d.keycloak_id), 'credit.hint_dropped', 'success', 'user_hints', d.keycloak_id,
                jsonb_build_object('realm', d.realm, 'cause', d.cause, 'source', d.source, 'hinted_at', d.hinted_at, 'state', d.state,
                    'attempts', d.attempts, 'error', d.error)
            from dropped d
            left join keycloak_users k on k.realm = d.realm and k.keycloak_id = d.keycloak_id)
        select realm, keycloak_id, state, kind, cause, source, hinted_at, due_at, attempts, error, count(*) over () as total
        from dropped
        order by realm, keycloak_id
        """;

    /// <summary>Hints, dead ones first and then the oldest first.</summary>
    /// <param name="realm">Null for all realms.</param>
    /// <param name="state">`waiting` or `dead`; null for both.</param>
    /// <param name="limit">How many at most.</param>
    public Task<IReadOnlyList<ListedHint>> ListAsync(string? realm, string? state, int limit, CancellationToken cancellationToken) =>
        QueryAsync<ListedHint>(ListSql, new { Realm = realm, State = state, Limit = limit }, cancellationToken);

    /// <summary>The hints of these users, at most one for a user and realm.</summary>
    public Task<IReadOnlyList<ListedHint>> FindAsync(
        IReadOnlyCollection<string> realms, IReadOnlyCollection<string> users, CancellationToken cancellationToken) =>
        QueryAsync<ListedHint>(OfUsersSql, new { Realms = realms.ToArray(), Users = users.ToArray() }, cancellationToken);

    /// <summary>Has these users' hints, or all dead ones, tried at once as if they were new, and returns the users' ids.</summary>
    public Task<IReadOnlyList<string>> RetryAsync(
        string? realm, IReadOnlyCollection<string> users, bool allDead, CancellationToken cancellationToken) => QueryAsync<string>(
            RetrySql, new { Realm = realm, Users = users.ToArray(), AllDead = allDead, Now = clock.GetUtcNow() }, cancellationToken);

    /// <summary>Deletes these users' hints, writes an audit row for each, and returns what was deleted.</summary>
    public Task<IReadOnlyList<ListedHint>> DropAsync(
        string realm, IReadOnlyCollection<string> users, CancellationToken cancellationToken) =>
        QueryAsync<ListedHint>(DropSql, new { Realm = realm, Users = users.ToArray(), Now = clock.GetUtcNow() }, cancellationToken);

    private async Task<IReadOnlyList<T>> QueryAsync<T>(string sql, object parameters, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<T>(new CommandDefinition(sql, parameters, cancellationToken: cancellationToken))];
    }
}

/// <summary>A hint as an operator sees it.</summary>
/// <param name="State">`waiting` or `dead`.</param>
/// <param name="DueAt">When it is tried next; a hint in the hands of a worker is due when its lease ends.</param>
/// <param name="Error">Why the last attempt did not complete it.</param>
/// <param name="Total">How many hints the query found, of which this is one.</param>
internal sealed record ListedHint(
    string Realm,
    string KeycloakId,
    string State,
    string Kind,
    string Cause,
    string Source,
    DateTimeOffset HintedAt,
    DateTimeOffset DueAt,
    int Attempts,
    string? Error,
    long Total);
