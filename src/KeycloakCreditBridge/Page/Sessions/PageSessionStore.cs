using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Page.Sessions;

/// <summary>Sessions of operators, shared by all replicas.</summary>
internal sealed class PageSessionStore(NpgsqlDataSource dataSource)
{
    private const string AddSql =
        """
        insert into page_sessions (id_hash, subject, user_name, keycloak_session, roles, roles_at, form_token, tokens, created_at, seen_at)
        values (@IdHash, @Subject, @UserName, @KeycloakSession, @Roles::text[], @RolesAt, @FormToken, @Tokens, @CreatedAt, @SeenAt)
        """;

    private const string Columns =
        "id_hash, subject, user_name, keycloak_session, roles, roles_at, form_token, tokens, created_at, seen_at";

    private const string FindSql =
        $"""
        select {Columns} from page_sessions
        where id_hash = @IdHash::bytea and seen_at > @SeenAfter::timestamptz and created_at > @CreatedAfter::timestamptz
        """;

    private const string LockSql = $"select {Columns} from page_sessions where id_hash = @IdHash::bytea for update";

    // At most once a minute, so that a page that refreshes itself does not write each time.
    private const string SeenSql =
        "update page_sessions set seen_at = @Now where id_hash = @IdHash::bytea and seen_at < @Now::timestamptz - interval '1 minute'";

    private const string RenewSql =
        "update page_sessions set roles = @Roles::text[], roles_at = @Now, tokens = @Tokens, user_name = @UserName where id_hash = @IdHash";

    private const string EndSql = "delete from page_sessions where id_hash = @IdHash::bytea";

    private const string EndOfUserSql =
        """
        delete from page_sessions
        where case when @KeycloakSession::text is null then subject = @Subject::text else keycloak_session = @KeycloakSession end
        """;

    private const string PurgeSql =
        """
        delete from page_sessions where id_hash in (
            select id_hash from page_sessions where created_at < @Before or seen_at < @IdleBefore limit @Most)
        """;

    private const string LiveSql =
        "select count(*) from page_sessions where seen_at > @SeenAfter::timestamptz and created_at > @CreatedAfter::timestamptz";

    public Task AddAsync(PageSession session, CancellationToken cancellationToken) => ExecuteAsync(AddSql, session, cancellationToken);

    /// <summary>The session, or null when there is none that was used and made lately.</summary>
    public async Task<PageSession?> FindAsync(
        byte[] idHash, DateTimeOffset seenAfter, DateTimeOffset createdAfter, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<PageSession>(new CommandDefinition(
            FindSql, new { IdHash = idHash, SeenAfter = seenAfter, CreatedAfter = createdAfter }, cancellationToken: cancellationToken));
    }

    /// <summary>
    /// Renews the roles of a session. Requests of the session wait for each other, so that a refresh token is redeemed once.
    /// </summary>
    /// <param name="idHash">The session.</param>
    /// <param name="isDue">Whether the roles are still old.</param>
    /// <param name="renew">The session with new roles and tokens; null ends it.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>The session as it is stored afterwards; null when it ended.</returns>
    public async Task<PageSession?> RenewAsync(
        byte[] idHash, Func<PageSession, bool> isDue, Func<PageSession, Task<PageSession?>> renew, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var session = await connection.QuerySingleOrDefaultAsync<PageSession>(
            new CommandDefinition(LockSql, new { IdHash = idHash }, transaction, cancellationToken: cancellationToken));
        if (session is not null && isDue(session))
        {
            session = await renew(session);
            await connection.ExecuteAsync(session is null
                ? new CommandDefinition(EndSql, new { IdHash = idHash }, transaction, cancellationToken: cancellationToken)
                : new CommandDefinition(
                    RenewSql, new { session.IdHash, session.Roles, Now = session.RolesAt, session.Tokens, session.UserName }, transaction,
                    cancellationToken: cancellationToken));
        }

        await transaction.CommitAsync(cancellationToken);
        return session;
    }

    public Task SeenAsync(byte[] idHash, DateTimeOffset now, CancellationToken cancellationToken) =>
        ExecuteAsync(SeenSql, new { IdHash = idHash, Now = now }, cancellationToken);

    public Task EndAsync(byte[] idHash, CancellationToken cancellationToken) =>
        ExecuteAsync(EndSql, new { IdHash = idHash }, cancellationToken);

    /// <summary>Ends the sessions of one of Keycloak's sessions, or all of a user. Returns how many.</summary>
    public Task<int> EndOfUserAsync(string? subject, string? keycloakSession, CancellationToken cancellationToken) =>
        ExecuteAsync(EndOfUserSql, new { Subject = subject, KeycloakSession = keycloakSession }, cancellationToken);

    public Task<int> PurgeAsync(DateTimeOffset before, DateTimeOffset idleBefore, int most, CancellationToken cancellationToken) =>
        ExecuteAsync(PurgeSql, new { Before = before, IdleBefore = idleBefore, Most = most }, cancellationToken);

    public Task<long> LiveAsync(DateTimeOffset seenAfter, DateTimeOffset createdAfter, CancellationToken cancellationToken) =>
        CountAsync(LiveSql, new { SeenAfter = seenAfter, CreatedAfter = createdAfter }, cancellationToken);

    private async Task<long> CountAsync(string sql, object parameters, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<long>(new CommandDefinition(sql, parameters, cancellationToken: cancellationToken));
    }

    private async Task<int> ExecuteAsync(string sql, object parameters, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteAsync(new CommandDefinition(sql, parameters, cancellationToken: cancellationToken));
    }
}

/// <summary>A session as it is stored.</summary>
// Not positional: Dapper does not pass arrays to constructors.
internal sealed record PageSession
{
    public byte[] IdHash { get; init; } = [];

    /// <summary>Keycloak's id of the operator.</summary>
    public string Subject { get; init; } = "";

    public string UserName { get; init; } = "";

    public string? KeycloakSession { get; init; }

    public string[] Roles { get; init; } = [];

    public DateTimeOffset RolesAt { get; init; }

    public string FormToken { get; init; } = "";

    /// <summary>The refresh token and the ID token, encrypted.</summary>
    public byte[] Tokens { get; init; } = [];

    public DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset SeenAt { get; init; }
}
