using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Budgets;

/// <summary>What a policy may grant, one row a policy and day. A budget that is used up refuses, and never fails.</summary>
internal static class BudgetStore
{
    // Two at once add up: the second waits for the first one's row, and compares with what it left.
    private const string TakeFormat =
        """
        insert into grant_budgets as b (policy, day, given)
        select @Policy::text, {day}, @Amount::numeric(20, 6) where @Amount <= @Limit::numeric
        on conflict (policy, day) do update set given = b.given + excluded.given
        where b.given + excluded.given <= @Limit
        returning true as taken
        """;

    private static readonly string TakeDailySql = TakeFormat.Replace("{day}", DayOf, StringComparison.Ordinal);

    private static readonly string TakeTotalSql = TakeFormat.Replace("{day}", Total, StringComparison.Ordinal);

    private const string GiveBackSql =
        $$"""
        update grant_budgets b set given = greatest(b.given - @Amount::numeric(20, 6), 0)
        where b.policy = @Policy::text and b.day = case when @PerDay::boolean then {{DayOf}} else {{Total}} end
            and (@GrantedAt::timestamptz at time zone 'UTC')::date = {{DayOf}}
        """;

    private const string GivenSql =
        $$"""
        select coalesce(max(b.given), 0) as given from grant_budgets b
        where b.policy = @Policy::text and b.day = case when @PerDay::boolean then {{DayOf}} else {{Total}} end
        """;

    private const string DayOf = "(coalesce(@At::timestamptz, now()) at time zone 'UTC')::date";

    private const string Total = "date '9999-12-31'";

    /// <summary>Takes from the budget; false where that would exceed it. The transaction holds the row until it ends.</summary>
    public static async Task<bool> TakeAsync(
        NpgsqlConnection connection, string policy, Budget budget, decimal amount, DateTimeOffset? at,
        CancellationToken cancellationToken) =>
        (await connection.QueryPreparedAsync<bool>(
            budget.Per == BudgetPeriod.Day ? TakeDailySql : TakeTotalSql,
            [
                .. Parameters(policy, at),
                new("Amount", NpgsqlDbType.Numeric) { Value = amount },
                new("Limit", NpgsqlDbType.Numeric) { Value = budget.Credits },
            ],
            cancellationToken)).Count > 0;

    /// <summary>Gives back what a void took from a grant, where that was given on the same day (UTC).</summary>
    public static Task GiveBackAsync(
        NpgsqlConnection connection, string policy, BudgetPeriod per, decimal amount, DateTimeOffset grantedAt, DateTimeOffset? at,
        CancellationToken cancellationToken) =>
        connection.QueryPreparedAsync<int>(
            GiveBackSql,
            [
                .. Parameters(policy, at),
                new("Amount", NpgsqlDbType.Numeric) { Value = amount },
                new("PerDay", NpgsqlDbType.Boolean) { Value = per == BudgetPeriod.Day },
                new("GrantedAt", NpgsqlDbType.TimestampTz) { Value = grantedAt.UtcDateTime },
            ],
            cancellationToken);

    /// <summary>What the policy granted on this day, or in all.</summary>
    public static async Task<decimal> GivenAsync(
        NpgsqlConnection connection, string policy, BudgetPeriod per, DateTimeOffset? at, CancellationToken cancellationToken) =>
        (await connection.QueryPreparedAsync<decimal>(
            GivenSql,
            [.. Parameters(policy, at), new("PerDay", NpgsqlDbType.Boolean) { Value = per == BudgetPeriod.Day }],
            cancellationToken))[0];

    private static NpgsqlParameter[] Parameters(string policy, DateTimeOffset? at) =>
    [
        new("Policy", NpgsqlDbType.Text) { Value = policy },
        new("At", NpgsqlDbType.TimestampTz) { Value = at is { } time ? time.UtcDateTime : DBNull.Value },
    ];
}

/// <summary>Most credits of a policy.</summary>
internal sealed record Budget(decimal Credits, BudgetPeriod Per);

internal enum BudgetPeriod
{
    Day,
    Total,
}
