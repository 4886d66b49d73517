using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Given;

/// <summary>Writes grants and changes of grants, each with its ledger row, in a transaction that holds the account's lock.</summary>
internal static class GrantStore
{
    private static readonly string GiveSql = SqlText.Of(typeof(GrantStore), "GrantStore.Give.sql");

    private static readonly string VoidSql = SqlText.Of(typeof(GrantStore), "GrantStore.Void.sql");

    private static readonly string ExtendSql = SqlText.Of(typeof(GrantStore), "GrantStore.Extend.sql");

    // The newest row is the one that this transaction wrote: it holds the account's lock.
    private const string StampSql =
        """
        with entry as (
            select t.id, t.amount, coalesce(t.created_at, now()) as created_at
            from credit_transactions t
            where t.user_id = @Account::text and t.grant_key is null
            order by coalesce(t.created_at, '-infinity') desc, t.id desc
            limit 1
        ),
        stamped as (
            insert into credit_grants (user_id, grant_key, amount, category, priority, granted_at, expires_at)
            select @Account, 'tx:' || id, amount, @Category::text, @Priority::smallint, created_at, @ExpiresAt::timestamptz
            from entry
        )
        update user_credits c set next_expiry = least(c.next_expiry, @ExpiresAt) where c.user_id = @Account and @ExpiresAt is not null
        """;

    private const string IsVoidSql =
        """
        select 1 as found from credit_transactions t where t.user_id = @Account::text and t.grant_key = 'void:' || @Grant::text
        """;

    private const string ReasonsSql =
        """
        select t.grant_key, t.metadata ->> 'reason' as reason
        from credit_transactions t
        where t.user_id = @Account::text and t.grant_key = any (@Keys::text[])
        union all
        select 'tx:' || t.id, coalesce(t.metadata ->> 'source', t.metadata ->> 'reason')
        from credit_transactions t
        where t.id = any (@Ids::uuid[]) and t.user_id = @Account
        """;

    /// <summary>Why these grants of an account were given, by their keys.</summary>
    public static async Task<IReadOnlyDictionary<string, string?>> ReasonsAsync(
        NpgsqlConnection connection, string account, IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
    {
        Guid[] ids = [.. keys.Where(key => key.StartsWith(LedgerRow.RowKey, StringComparison.Ordinal))
            .Select(key => Guid.TryParse(key[LedgerRow.RowKey.Length..], out var id) ? id : Guid.Empty)];
        var rows = await connection.QueryPreparedAsync<ReasonRow>(
            ReasonsSql,
            [
                new("Account", NpgsqlDbType.Text) { Value = account },
                new("Keys", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = keys.ToArray() },
                new("Ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid) { Value = ids },
            ],
            cancellationToken);
        return rows.ToDictionary(row => row.GrantKey, row => row.Reason, StringComparer.Ordinal);
    }

    /// <summary>Whether the grant was voided before.</summary>
    public static async Task<bool> IsVoidAsync(
        NpgsqlConnection connection, string account, string grant, CancellationToken cancellationToken) =>
        (await connection.QueryPreparedAsync<int>(
            IsVoidSql,
            [new("Account", NpgsqlDbType.Text) { Value = account }, new("Grant", NpgsqlDbType.Text) { Value = grant }],
            cancellationToken)).Count > 0;

    /// <summary>Gives grants whose keys their accounts do not have yet, and returns those.</summary>
    /// <param name="connection">In a transaction.</param>
    /// <param name="grants">Each key at most once for an account. An end in the past is booked out by <see cref="LotBooking"/>.</param>
    /// <param name="now">When they are given.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<IReadOnlyList<WrittenGrant>> GiveAsync(
        NpgsqlConnection connection, IReadOnlyList<NewGrant> grants, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await BookingStore.LockAsync(
            connection, grants.Select(grant => grant.AccountId).Distinct(StringComparer.Ordinal), all: true, at: null, cancellationToken);
        return await connection.QueryPreparedAsync<WrittenGrant>(
            GiveSql,
            [
                BookingStore.Time("Now", now),
                grants.Column("Accounts", NpgsqlDbType.Text, grant => grant.AccountId),
                grants.Column("Keys", NpgsqlDbType.Text, grant => grant.Key),
                grants.Column("Amounts", NpgsqlDbType.Numeric, grant => grant.Amount),
                grants.Column("Types", NpgsqlDbType.Text, grant => grant.Type),
                grants.Column("Metadata", NpgsqlDbType.Text, grant => grant.Metadata),
                grants.Column("Categories", NpgsqlDbType.Text, grant => grant.Stamp.Category),
                grants.Column("Priorities", NpgsqlDbType.Smallint, grant => (short)grant.Stamp.Priority),
                grants.Column("Ends", NpgsqlDbType.TimestampTz, grant => grant.Stamp.ExpiresAt?.UtcDateTime),
                grants.Column("Policies", NpgsqlDbType.Text, grant => grant.Stamp.Policy),
                grants.Column("Versions", NpgsqlDbType.Text, grant => grant.Stamp.PolicyVersion),
                grants.Column("Evidence", NpgsqlDbType.Text, grant => grant.Stamp.Evidence),
            ],
            cancellationToken);
    }

    /// <summary>Stamps the ledger row that the transaction wrote last for the account, a grant without a key.</summary>
    public static Task StampNewestAsync(
        NpgsqlConnection connection, string account, GrantStamp stamp, CancellationToken cancellationToken) =>
        connection.QueryPreparedAsync<int>(
            StampSql,
            [
                new("Account", NpgsqlDbType.Text) { Value = account },
                new("Category", NpgsqlDbType.Text) { Value = stamp.Category },
                new("Priority", NpgsqlDbType.Smallint) { Value = (short)stamp.Priority },
                BookingStore.Time("ExpiresAt", stamp.ExpiresAt),
            ],
            cancellationToken);

    /// <summary>Books a void and closes the grant. Returns the balance afterwards.</summary>
    public static async Task<decimal> VoidAsync(
        NpgsqlConnection connection, GrantVoid order, Lot lot, decimal taken, DateTimeOffset at, DateTimeOffset now,
        CancellationToken cancellationToken) =>
        (await connection.QueryPreparedAsync<decimal>(
            VoidSql,
            [
                new("Account", NpgsqlDbType.Text) { Value = order.AccountId },
                new("Grant", NpgsqlDbType.Text) { Value = order.GrantKey },
                .. Stamp(lot),
                new("Priority", NpgsqlDbType.Smallint) { Value = (short)lot.Priority },
                new("Taken", NpgsqlDbType.Numeric) { Value = taken },
                new("Beyond", NpgsqlDbType.Text) { Value = order.Beyond.ToString() },
                new("Note", NpgsqlDbType.Text) { Value = order.Note },
                new("By", NpgsqlDbType.Text) { Value = order.By },
                new("Address", NpgsqlDbType.Text) { Value = (object?)order.Address ?? DBNull.Value },
                BookingStore.Time("At", at),
                BookingStore.Time("Now", now),
            ],
            cancellationToken))[0];

    /// <summary>Writes the new end and priority of a grant. It has what it had where it never had a row of its own.</summary>
    public static Task ExtendAsync(
        NpgsqlConnection connection, GrantExtension order, Lot lot, DateTimeOffset at, DateTimeOffset now,
        CancellationToken cancellationToken) =>
        connection.QueryPreparedAsync<int>(
            ExtendSql,
            [
                new("Account", NpgsqlDbType.Text) { Value = order.AccountId },
                new("Grant", NpgsqlDbType.Text) { Value = order.GrantKey },
                .. Stamp(lot),
                BookingStore.Time("ExpiresFrom", lot.ExpiresAt),
                BookingStore.Time("ExpiresTo", order.ChangesEnd ? order.ExpiresAt : lot.ExpiresAt),
                new("PriorityFrom", NpgsqlDbType.Integer) { Value = lot.Priority },
                new("PriorityTo", NpgsqlDbType.Integer) { Value = order.Priority ?? lot.Priority },
                new("By", NpgsqlDbType.Text) { Value = order.By },
                new("Address", NpgsqlDbType.Text) { Value = (object?)order.Address ?? DBNull.Value },
                BookingStore.Time("At", at),
                BookingStore.Time("Now", now),
            ],
            cancellationToken);

    private static NpgsqlParameter[] Stamp(Lot lot) =>
    [
        new("Amount", NpgsqlDbType.Numeric) { Value = lot.Amount },
        new("Category", NpgsqlDbType.Text) { Value = lot.IsPaid ? GrantCategory.Paid : GrantCategory.Promotional },
        BookingStore.Time("GrantedAt", lot.GrantedAt),
    ];
}

/// <summary>Why a grant was given.</summary>
internal sealed record ReasonRow(string GrantKey, string? Reason);

/// <summary>A grant that was written.</summary>
internal sealed record WrittenGrant(string AccountId, string GrantKey, decimal Amount);
