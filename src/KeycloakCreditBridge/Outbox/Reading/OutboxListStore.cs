using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Outbox.Reading;

/// <summary>Recorded events as an operator reads them.</summary>
internal sealed class OutboxListStore(NpgsqlDataSource dataSource)
{
    private const string OfAccountSql =
        """
        select o.seq, o.id, o.account_id, o.type, o.data::text as data, o.at from outbox o
        where o.account_id = @Account and (@Type::text is null or o.type = @Type)
        order by o.seq desc
        limit @Limit
        """;

    private const string ListSql =
        """
        select o.seq, o.id, o.account_id, o.type, o.data::text as data, o.at from outbox o
        where @Type::text is null or o.type = @Type
        order by o.seq desc
        limit @Limit
        """;

    /// <summary>Events, newest first.</summary>
    /// <param name="account">Only of this account; null for all.</param>
    /// <param name="type">Only of this type; null for all.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellationToken">Ends the query.</param>
    public async Task<IReadOnlyList<OutboxEvent>> ListAsync(string? account, string? type, int limit, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return
        [
            .. await connection.QueryAsync<OutboxEvent>(new CommandDefinition(
                account is null ? ListSql : OfAccountSql, new { Account = account, Type = type, Limit = limit },
                cancellationToken: cancellationToken)),
        ];
    }
}
