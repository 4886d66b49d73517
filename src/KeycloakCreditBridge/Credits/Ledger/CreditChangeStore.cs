using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Microsoft.Extensions.Options;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Credits.Ledger;

/// <summary>Changes a balance, writes its ledger row and keeps the Idempotency-Key in one statement.</summary>
internal sealed class CreditChangeStore(NpgsqlDataSource dataSource, IOptions<ProvisioningOptions> provisioning)
{
    private static readonly string RefundSql = SqlText.Of(
        typeof(CreditChangeStore), "CreditChangeStore.Change.sql", ("selected_account", BalanceStore.SelectedAccount),
        ("balance_json", BalanceStore.BalanceJson), ("suppress_notify", BalanceInvalidationStore.SuppressNotify));

    private static readonly string ChangeSql = SqlText.Without("refund", RefundSql);

    /// <summary>Tries once.</summary>
    /// <exception cref="PostgresException">Among others a unique violation: the key was just used by another request.</exception>
    public async Task<CreditChangeResult> TryWriteAsync(CreditChange change, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var rows = await dataSource.QueryPreparedAsync<CreditChangeResult>(
            change.Refunds is null ? ChangeSql : RefundSql,
            [
                .. change.Selector.Parameters(),
                Value("Amount", NpgsqlDbType.Numeric, change.Amount),
                Value("Type", NpgsqlDbType.Text, change.Type),
                Value("Service", NpgsqlDbType.Text, change.Service),
                Value("Model", NpgsqlDbType.Text, change.Model),
                Value("Tokens", NpgsqlDbType.Integer, change.Tokens),
                Value("Cost", NpgsqlDbType.Numeric, change.Cost),
                Value("Metadata", NpgsqlDbType.Jsonb, change.Metadata),
                Value("Action", NpgsqlDbType.Text, change.Action),
                Value("Address", NpgsqlDbType.Text, change.Address),
                Value("Refunds", NpgsqlDbType.Uuid, change.Refunds),
                Value("AnyStatus", NpgsqlDbType.Boolean, change.AppliesToAnyStatus),
                Value("Overdraw", NpgsqlDbType.Boolean, change.MayOverdraw),
                Value("AnswersEntry", NpgsqlDbType.Boolean, change.AnswersEntry),
                Value("Caller", NpgsqlDbType.Text, change.CallerKey),
                Value("Key", NpgsqlDbType.Text, change.Key),
                Value("Hash", NpgsqlDbType.Bytea, change.Hash),
                Value("Now", NpgsqlDbType.TimestampTz, now.UtcDateTime),
                BalanceStore.PeriodLength(provisioning.Value),
            ],
            cancellationToken);
        return rows[0];
    }

    /// <summary>Whether a concurrent refund of the same usage row was faster.</summary>
    public static bool IsRefundedMeanwhile(PostgresException exception) =>
        exception is { SqlState: PostgresErrorCodes.CheckViolation, ConstraintName: "usage_refunds_at_most_taken" };

    private static NpgsqlParameter Value(string name, NpgsqlDbType type, object? value) =>
        new(name, type) { Value = value ?? DBNull.Value };
}
