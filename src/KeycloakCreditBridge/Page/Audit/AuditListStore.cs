using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Page.Audit;

/// <summary>The audit log as operators read it. Rows belong to a realm by what they say, or by the owner of their account.</summary>
internal sealed class AuditListStore(NpgsqlDataSource dataSource)
{
    private const string ListSql =
        """
        select a.id, a.timestamp as at, a.user_id as account_id, a.action, a.result, coalesce(a.metadata ->> 'realm', c.realm) as realm,
            coalesce(c.keycloak_id, a.metadata ->> 'keycloak_id') as keycloak_id,
            coalesce(a.metadata ->> 'user_name', a.metadata ->> 'by', a.metadata ->> 'source') as by,
            coalesce(a.error_message, a.metadata ->> 'reason') as note, coalesce(a.metadata::text, '') as metadata
        from audit_logs a
        left join user_credits c on c.user_id = a.user_id
        where a.id < @Before::bigint and (@Action::text is null or a.action = @Action) and (@Account::text is null or a.user_id = @Account)
            and (@Result::text is null or a.result = @Result) and (@From::timestamptz is null or a.timestamp >= @From)
            and (@To::timestamptz is null or a.timestamp < @To) and (not @ByOperators::boolean or a.action like 'page.%')
            and (@All::boolean or coalesce(a.metadata ->> 'realm', c.realm) = any (@Realms::text[]))
        order by a.id desc
        limit @Limit::integer
        """;

    public async Task<IReadOnlyList<AuditLine>> ListAsync(AuditQuery query, int limit, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<AuditLine>(new CommandDefinition(
            ListSql,
            new
            {
                query.Before, query.Action, query.Account, query.Result, query.From, query.To, query.ByOperators, query.All,
                Realms = query.Realms.ToArray(), Limit = limit,
            },
            cancellationToken: cancellationToken))];
    }
}

/// <param name="All">Whether rows of no realm are shown too.</param>
/// <param name="To">The first moment that is not shown.</param>
/// <param name="ByOperators">Only what was done on the page.</param>
/// <param name="Before">Only rows with a lower number.</param>
internal sealed record AuditQuery(
    IReadOnlyList<string> Realms, bool All, string? Action, string? Account, string? Result, DateTimeOffset? From, DateTimeOffset? To,
    bool ByOperators, long Before);

internal sealed record AuditLine(
    long Id, DateTimeOffset At, string? AccountId, string Action, string Result, string? Realm, string? KeycloakId, string? By,
    string? Note, string Metadata);
