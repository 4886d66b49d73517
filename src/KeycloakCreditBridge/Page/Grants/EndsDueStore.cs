using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Page.Grants;

/// <summary>Accounts whose granted credits end, the next first.</summary>
internal sealed class EndsDueStore(NpgsqlDataSource dataSource)
{
    private const string NextSql =
        """
        select c.user_id as account_id, c.keycloak_id, c.tier, c.credits_remaining as balance, c.next_expiry as ends_at
        from user_credits c
        where c.realm = @Realm and c.next_expiry is not null and c.status <> 'closed'
        order by c.next_expiry
        limit @Limit
        """;

    public async Task<IReadOnlyList<DueAccount>> NextAsync(string realm, int limit, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<DueAccount>(
            new CommandDefinition(NextSql, new { Realm = realm, Limit = limit }, cancellationToken: cancellationToken))];
    }
}

/// <param name="EndsAt">When the first of its credits end.</param>
internal sealed record DueAccount(string AccountId, string? KeycloakId, string Tier, decimal Balance, DateTimeOffset EndsAt);
