using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Credits.Ledger;

/// <summary>Moves a balance, writes its ledger row and keeps the Idempotency-Key, all in one statement.</summary>
internal sealed class CreditChangeStore(NpgsqlDataSource dataSource)
{
    private static readonly string ChangeSql = SqlText.Of(
        typeof(CreditChangeStore), "CreditChangeStore.Change.sql", ("selected_account", BalanceStore.SelectedAccount),
        ("balance_json", BalanceStore.BalanceJson), ("suppress_notify", BalanceInvalidationStore.SuppressNotify));

    /// <summary>Tries once.</summary>
    /// <exception cref="PostgresException">Among others a unique violation: the key was just used by another request.</exception>
    public async Task<CreditChangeResult> TryWriteAsync(CreditChange move, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var rows = await dataSource.QueryPreparedAsync<CreditChangeResult>(
            ChangeSql,
            [
                .. move.Reach.Parameters(),
                Value("Amount", NpgsqlDbType.Numeric, move.Amount),
                Value("Type", NpgsqlDbType.Text, move.Type),
                Value("Service", NpgsqlDbType.Text, move.Service),
                Value("Model", NpgsqlDbType.Text, move.Model),
                Value("Tokens", NpgsqlDbType.Integer, move.Tokens),
                Value("Cost", NpgsqlDbType.Numeric, move.Cost),
                Value("Metadata", NpgsqlDbType.Jsonb, move.Metadata),
                Value("Action", NpgsqlDbType.Text, move.Action),
                Value("Address", NpgsqlDbType.Text, move.Address),
                Value("AnswersEntry", NpgsqlDbType.Boolean, move.AnswersEntry),
                Value("Caller", NpgsqlDbType.Text, move.CallerKey),
                Value("Key", NpgsqlDbType.Text, move.Key),
                Value("Hash", NpgsqlDbType.Bytea, move.Hash),
                Value("Now", NpgsqlDbType.TimestampTz, now.UtcDateTime),
            ],
            cancellationToken);
        return rows[0];
    }

    private static NpgsqlParameter Value(string name, NpgsqlDbType type, object? value) => new(name, type) { Value = value ?? DBNull.Value };
}
