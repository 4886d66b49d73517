using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Milestones;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Microsoft.Extensions.Options;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Credits.Ledger;

/// <summary>Changes a balance, writes its ledger row and keeps the Idempotency-Key in one statement.</summary>
internal sealed class CreditChangeStore(NpgsqlDataSource dataSource, GrantEnds ends, IOptions<ProvisioningOptions> provisioning)
{
    private static readonly string RefundSql = SqlText.Of(
        typeof(CreditChangeStore), "CreditChangeStore.Change.sql", ("selected_account", BalanceStore.SelectedAccount),
        ("balance_json", BalanceStore.BalanceJson), ("suppress_notify", BalanceInvalidationStore.SuppressNotify),
        ("spends", "@Type = 'usage' and @Amount < 0"), ("is_paid", MilestoneStore.IsPaidChange), ("is_free", GrantEnds.IsFree));

    internal static readonly string ChangeSql = SqlText.Without("refund", RefundSql);

    private const string LockSql =
        $"""
        select u.user_id from user_credits u
        where u.user_id = (select c.user_id from ({BalanceStore.SelectedAccount}) c)
        for no key update
        """;

    // Without such rows a refund is a lot without end in an account where no lot ever ended: one row says the same.
    private const string HasEndsSql =
        """
        select exists (select from credit_grants g where g.user_id = @Account::text)
            or exists (
                select from credit_transactions t
                where t.user_id = @Account and t.grant_key is not null and (starts_with(t.grant_key, 'void:') or t.metadata ? 'closes'))
        """;

    private const string AnswerSql =
        $"""
        with answered as (select {BalanceStore.BalanceJson} as answer from user_credits c where c.user_id = @Account::text),
        kept as (
            update idempotency_keys k set answer = a.answer from answered a where k.caller = @Caller::text and k.key = @Key::text
        )
        select answer::text as answer from answered
        """;

    /// <summary>Tries once.</summary>
    /// <exception cref="PostgresException">Among others a unique violation: the key was just used by another request.</exception>
    public async Task<CreditChangeResult> TryWriteAsync(CreditChange change, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (change.Type == "refund" || change.Stamp is not null)
            return await TryWriteLotAsync(change, now, cancellationToken);
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await TryWriteAsync(connection, change, now, cancellationToken);
    }

    /// <summary>Books what is due in an account.</summary>
    public Task<bool> SettleAsync(string account, CancellationToken cancellationToken) => ends.SettleAsync([account], cancellationToken);

    /// <summary>Whether a concurrent refund of the same usage row was faster.</summary>
    public static bool IsRefundedMeanwhile(PostgresException exception) =>
        exception is { SqlState: PostgresErrorCodes.CheckViolation, ConstraintName: "usage_refunds_at_most_taken" };

    // A refund may fall on a lot that is over, and a grant may end before now: both are booked out before another reader sees them.
    private async Task<CreditChangeResult> TryWriteLotAsync(CreditChange change, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await ends.EnsureAsync(change.Stamp?.ExpiresAt is not null, cancellationToken);
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        // The lock comes first: no end is given between the question and the change. Where none is, no ledger is read.
        var found = await connection.QueryPreparedAsync<string>(LockSql, change.Selector.Parameters(), cancellationToken);
        var account = found is [var only, ..] ? only : null;
        var hasLots = account is not null
            && (change.Stamp is not null || (await connection.QueryPreparedAsync<bool>(
                HasEndsSql, [Value("Account", NpgsqlDbType.Text, account)], cancellationToken))[0])
            && await ends.OpenAsync(connection, account, fromStart: false, cancellationToken) is not null;
        var result = await TryWriteAsync(connection, change, now, cancellationToken);
        if (hasLots && result is { EarlierHash: null, Answer: not null })
        {
            if (change.Stamp is { } stamp)
                await GrantStore.StampNewestAsync(connection, account!, stamp, cancellationToken);
            if (await ends.OpenAsync(connection, account!, fromStart: change.Type == "refund", cancellationToken) is { HasBooked: true })
                result = result with { Answer = await AnswerAsync(connection, account!, change, cancellationToken) };
        }

        await transaction.CommitAsync(cancellationToken);
        return result;
    }

    private async Task<string> AnswerAsync(
        NpgsqlConnection connection, string account, CreditChange change, CancellationToken cancellationToken) =>
        (await connection.QueryPreparedAsync<string>(
            AnswerSql,
            [
                Value("Account", NpgsqlDbType.Text, account), Value("Caller", NpgsqlDbType.Text, change.CallerKey),
                Value("Key", NpgsqlDbType.Text, change.Key), BalanceStore.PeriodLength(provisioning.Value),
            ],
            cancellationToken))[0];

    private async Task<CreditChangeResult> TryWriteAsync(
        NpgsqlConnection connection, CreditChange change, DateTimeOffset now, CancellationToken cancellationToken) =>
        (await connection.QueryPreparedAsync<CreditChangeResult>(
            change.Refunds is null ? ChangeSql : RefundSql, Parameters(change, now), cancellationToken))[0];

    /// <summary>As the statements take it.</summary>
    internal NpgsqlParameter[] Parameters(CreditChange change, DateTimeOffset now) =>
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
        GrantEnds.AtOf(ends),
        BalanceStore.PeriodLength(provisioning.Value),
    ];

    private static NpgsqlParameter Value(string name, NpgsqlDbType type, object? value) =>
        new(name, type) { Value = value ?? DBNull.Value };
}
