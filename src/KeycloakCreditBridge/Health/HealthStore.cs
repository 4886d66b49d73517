using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Health;

/// <summary>Asks PostgreSQL whether it answers.</summary>
internal sealed class HealthStore(NpgsqlDataSource dataSource)
{
    private const string PingSql = "select 1";

    public async Task PingAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteScalarAsync<int>(new CommandDefinition(PingSql, cancellationToken: cancellationToken));
    }
}
