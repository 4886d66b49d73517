using System.Text.Json;
using Dapper;
using KeycloakCreditBridge.Storage.Migrations;
using KeycloakCreditBridge.Storage.Replicas;
using Npgsql;

namespace KeycloakCreditBridge.Outbox.Recording;

/// <summary>Has the database record events, or not.</summary>
internal sealed class EventSwitchStore(NpgsqlDataSource dataSource)
{
    private const string SwitchSql = "select credit_switch_events(@Table::text, @Low::jsonb)";

    private const string StateSql =
        """
        select t.tgrelid::regclass::text from pg_trigger t
        where t.tgrelid = any (array[to_regclass('user_credits'), to_regclass('credit_transactions'), to_regclass('audit_logs'),
                to_regclass('grant_holds')])
            and t.tgenabled = 'O' and starts_with(t.tgname, 'credit_event_')
        """;

    // What an older program knows nothing of, it would pass by as the sender of an endpoint.
    private const int HoldsMigration = 90;

    private const string Holds = "grant_holds";

    private const int Triggers = 6;

    // The ledger first: then no charge comes between two that tell of low balances.
    private static readonly string[] Tables = ["credit_transactions", "user_credits", "audit_logs", Holds];

    /// <summary>Whether all events are recorded; null where only some are.</summary>
    public async Task<bool?> IsOnAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return (await StateAsync(connection, cancellationToken)).Count switch
        {
            0 => false,
            Triggers => true,
            _ => null,
        };
    }

    /// <summary>Switches them on with these thresholds by tier, or off without. Tables that are so already are not locked.</summary>
    /// <returns>Whether anything was otherwise.</returns>
    /// <exception cref="PostgresException">A table could not be locked within 2 s; earlier ones are switched.</exception>
    /// <exception cref="OlderReplicasException">A live replica knows no events of holds; all others are switched.</exception>
    public async Task<bool> SwitchAsync(IReadOnlyDictionary<string, decimal>? low, CancellationToken cancellationToken)
    {
        var value = low is null ? null : JsonSerializer.Serialize(low);
        var changed = false;
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        foreach (var table in Tables)
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            if (table == Holds && low is not null && !(await StateAsync(connection, cancellationToken)).Contains(Holds)
                && await ReplicaStore.LockLackingAsync(connection, HoldsMigration, cancellationToken) is { Count: > 0 } older)
            {
                throw new OlderReplicasException(
                    "Events of held grants are recorded once no replica of an older program runs. Stop or update these: "
                    + $"{string.Join(", ", older.Select(replica => $"{replica.Id} (version {replica.Version})"))}.");
            }

            changed |= await connection.ExecuteScalarAsync<bool>(
                new CommandDefinition(SwitchSql, new { Table = table, Low = value }, cancellationToken: cancellationToken));
            await transaction.CommitAsync(cancellationToken);
        }

        return changed;
    }

    private static async Task<IReadOnlyCollection<string>> StateAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        [.. await connection.QueryAsync<string>(new CommandDefinition(StateSql, cancellationToken: cancellationToken))];
}
