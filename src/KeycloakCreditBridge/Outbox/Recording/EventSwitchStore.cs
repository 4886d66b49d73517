using System.Text.Json;
using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Outbox.Recording;

/// <summary>Has the database record events, or not.</summary>
internal sealed class EventSwitchStore(NpgsqlDataSource dataSource)
{
    private const string SwitchSql = "select credit_switch_events(@Table::text, @Low::jsonb)";

    private const string StateSql =
        """
        select count(*) from pg_trigger t
        where t.tgrelid = any (array[to_regclass('user_credits'), to_regclass('credit_transactions'), to_regclass('audit_logs')])
            and t.tgenabled = 'O' and starts_with(t.tgname, 'credit_event_')
        """;

    private const int Triggers = 4;

    private static readonly string[] Tables = ["user_credits", "credit_transactions", "audit_logs"];

    /// <summary>Whether all events are recorded; null where only some are.</summary>
    public async Task<bool?> IsOnAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var triggers = await connection.ExecuteScalarAsync<long>(new CommandDefinition(StateSql, cancellationToken: cancellationToken));
        return triggers switch
        {
            0 => false,
            Triggers => true,
            _ => null,
        };
    }

    /// <summary>Switches them on with these thresholds by tier, or off without. Tables that are so already are not locked.</summary>
    /// <returns>Whether anything was otherwise.</returns>
    /// <exception cref="PostgresException">A table could not be locked within 2 s; earlier ones are switched.</exception>
    public async Task<bool> SwitchAsync(IReadOnlyDictionary<string, decimal>? low, CancellationToken cancellationToken)
    {
        var value = low is null ? null : JsonSerializer.Serialize(low);
        var changed = false;
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        foreach (var table in Tables)
        {
            changed |= await connection.ExecuteScalarAsync<bool>(
                new CommandDefinition(SwitchSql, new { Table = table, Low = value }, cancellationToken: cancellationToken));
        }

        return changed;
    }
}
