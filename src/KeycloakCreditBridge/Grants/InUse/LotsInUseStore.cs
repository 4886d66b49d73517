using Dapper;
using KeycloakCreditBridge.Storage.Migrations;
using KeycloakCreditBridge.Storage.Replicas;
using Npgsql;

namespace KeycloakCreditBridge.Grants.InUse;

/// <summary>Keeps in the table of migrations whether a program must know lots.</summary>
internal static class LotsInUseStore
{
    /// <summary>The migration whose programs know lots.</summary>
    public const int Migration = 40;

    private const string IsRequiredSql = "select coalesce((select requires >= 40 from schema_migrations where version = 40), false)";

    private const string RequireSql = "select credit_require_lots(@Needed::boolean)";

    private const string OpenSql =
        "select count(*) as accounts, max(next_expiry) as last from user_credits where next_expiry is not null";

    /// <summary>Marks the schema, and keeps replicas from starting until the transaction ends.</summary>
    /// <exception cref="OlderReplicasException">A live replica does not know lots.</exception>
    public static async Task RequireAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (await connection.ExecuteScalarAsync<bool>(new CommandDefinition(IsRequiredSql, cancellationToken: cancellationToken)))
            return;
        var lacking = await ReplicaStore.LockLackingAsync(connection, Migration, cancellationToken);
        if (lacking.Count > 0)
        {
            var names = string.Join(", ", lacking.Select(replica => $"{replica.Id} (version {replica.Version})"));
            throw new OlderReplicasException(
                $"Credits with an end need replicas that know them, or ended credits would be spent. Stop these first: {names}.");
        }

        await MarkAsync(connection, needed: true, cancellationToken);
    }

    /// <summary>Takes the mark away; says why not otherwise.</summary>
    public static async Task<string?> ReleaseAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var running = await ReplicaStore.LockLackingAsync(connection, int.MaxValue, cancellationToken);
        if (running.Count > 0)
            return $"Replicas run: {string.Join(", ", running.Select(replica => replica.Id))}. Stop them first.";
        var (accounts, last) = await connection.QuerySingleAsync<(long, DateTimeOffset?)>(
            new CommandDefinition(OpenSql, cancellationToken: cancellationToken));
        if (accounts > 0)
        {
            return $"{accounts} accounts have credits with an end, the last on {last:yyyy-MM-dd HH:mm} UTC; an older program would let "
                + "them be spent for ever. Wait for their ends and the sweep, or void them or take their ends away.";
        }

        await MarkAsync(connection, needed: false, cancellationToken);
        return null;
    }

    private static Task<int> MarkAsync(NpgsqlConnection connection, bool needed, CancellationToken cancellationToken) =>
        connection.ExecuteAsync(new CommandDefinition(RequireSql, new { Needed = needed }, cancellationToken: cancellationToken));
}
