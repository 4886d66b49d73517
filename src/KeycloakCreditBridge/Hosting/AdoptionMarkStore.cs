using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Hosting;

/// <summary>Whether the accounts of an existing installation are adopted.</summary>
internal sealed class AdoptionMarkStore(NpgsqlDataSource dataSource, TimeProvider clock)
{
    /// <summary>
    /// The cure where adoption is due. Without it the bridge would open a second account for a user that has one by its address.
    /// </summary>
    public const string Remedy =
        "the database has accounts of an installation before the bridge: run `KeycloakCreditBridge adopt --plan`, then `adopt --apply`";

    private const string DueSql = "select exists (select from adoption where adopted_at is null)";

    private const string ReplacedSql = "select unnest(replaced) from adoption";

    private const string DoneSql = "update adoption set adopted_at = @Now where adopted_at is null";

    /// <summary>Whether accounts wait to be adopted. The schema must be current.</summary>
    public async Task<bool> IsDueAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<bool>(new CommandDefinition(DueSql, cancellationToken: cancellationToken));
    }

    /// <summary>What migrating replaced in tables that were there already, a line each.</summary>
    public async Task<IReadOnlyList<string>> ReplacedAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<string>(new CommandDefinition(ReplacedSql, cancellationToken: cancellationToken))];
    }

    /// <summary>Remembers that nothing is left to adopt: from now on the service may run.</summary>
    public async Task MarkDoneAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(
            new CommandDefinition(DoneSql, new { Now = clock.GetUtcNow() }, cancellationToken: cancellationToken));
    }
}
