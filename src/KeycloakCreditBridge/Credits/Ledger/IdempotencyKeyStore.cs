using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Credits.Ledger;

/// <summary>Deletes Idempotency-Keys older than their retention.</summary>
internal sealed class IdempotencyKeyStore(NpgsqlDataSource dataSource)
{
    private const string PurgeSql =
        """
        delete from idempotency_keys where ctid = any (array(
            select ctid from idempotency_keys where kept_at < @Before order by kept_at limit @Limit for update skip locked))
        """;

    /// <summary>Deletes at most <paramref name="limit"/> keys and returns how many.</summary>
    public async Task<int> PurgeAsync(DateTimeOffset before, int limit, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteAsync(new CommandDefinition(
            PurgeSql, new { Before = before, Limit = limit }, cancellationToken: cancellationToken));
    }
}
