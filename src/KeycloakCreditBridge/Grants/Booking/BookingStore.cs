using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Booking;

/// <summary>Locks accounts and books out what is over.</summary>
internal static class BookingStore
{
    private const string LockSql =
        """
        select c.user_id as account_id, c.credits_remaining as balance, coalesce(@At::timestamptz, now()) as at
        from user_credits c
        where c.user_id = any (@Accounts::text[]) and (@All::boolean or c.next_expiry <= coalesce(@At, now()))
        order by c.user_id collate "C"
        for no key update
        """;

    // It waits for no lock, so that it may take them in the order of the ends. What it has booked is told to no replica: a balance that is
    // remembered is forgotten when its end comes, and thousands of names would have all balances forgotten. A plan made for a thousand
    // accounts reads whole tables; the one that is kept finds each account by its index. The commit waits for no disk: what a crash of the
    // server takes back is due again.
    private const string LockNextSql =
        """
        with transaction as (
            select set_config('credit_bridge.quiet', 'on', true), set_config('plan_cache_mode', 'force_generic_plan', true),
                set_config('synchronous_commit', 'off', true))
        select c.user_id as account_id, c.credits_remaining as balance, coalesce(@At::timestamptz, now()) as at,
            c.ctid::text as place
        from user_credits c
        cross join transaction
        where c.next_expiry <= coalesce(@At, now()) and c.next_expiry is not null and c.status <> 'closed'
        order by c.next_expiry
        limit @Limit::integer
        for no key update of c skip locked
        """;

    private static readonly string BookSimpleSql = SqlText.Of(typeof(BookingStore), "BookingStore.BookSimple.sql");

    private static readonly string BookSql = SqlText.Of(typeof(BookingStore), "BookingStore.Book.sql");

    /// <summary>Locks accounts until the transaction ends; those that are not there, or not due, are left out.</summary>
    /// <param name="connection">In a transaction.</param>
    /// <param name="accounts">Account ids.</param>
    /// <param name="all">Whether accounts are locked of which nothing is due.</param>
    /// <param name="at">The time that decides; null for the database's.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static Task<IReadOnlyList<LockedAccount>> LockAsync(
        NpgsqlConnection connection, IEnumerable<string> accounts, bool all, DateTimeOffset? at, CancellationToken cancellationToken) =>
        connection.QueryPreparedAsync<LockedAccount>(
            LockSql,
            [
                new("Accounts", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = accounts.ToArray() },
                new("All", NpgsqlDbType.Boolean) { Value = all },
                Time("At", at),
            ],
            cancellationToken);

    /// <summary>Locks the next accounts of which something is due and that no other transaction holds.</summary>
    public static Task<IReadOnlyList<DueAccount>> LockNextAsync(
        NpgsqlConnection connection, int limit, DateTimeOffset? at, CancellationToken cancellationToken) =>
        connection.QueryPreparedAsync<DueAccount>(
            LockNextSql, [new("Limit", NpgsqlDbType.Integer) { Value = limit }, Time("At", at)], cancellationToken);

    /// <summary>Books out those of locked accounts, in which something is due, that need no replay.</summary>
    /// <returns>The accounts that are done, each with the credits that ended.</returns>
    public static Task<IReadOnlyList<BookedAccount>> BookSimpleAsync(
        NpgsqlConnection connection, IReadOnlyCollection<DueAccount> accounts, DateTimeOffset now, CancellationToken cancellationToken) =>
        connection.QueryPreparedAsync<BookedAccount>(
            BookSimpleSql,
            [
                accounts.Column("Accounts", NpgsqlDbType.Text, account => account.AccountId),
                accounts.Column("Places", NpgsqlDbType.Text, account => account.Place),
                Time("Now", now),
            ],
            cancellationToken);

    /// <summary>Books out remainders of locked accounts, closes what ended, and sets the next end.</summary>
    public static async Task BookAsync(
        NpgsqlConnection connection, IReadOnlyCollection<string> accounts, IReadOnlyList<(string AccountId, BookedOut Lost)> lost,
        DateTimeOffset at, DateTimeOffset now, CancellationToken cancellationToken) =>
        await connection.QueryPreparedAsync<int>(
            BookSql,
            [
                new("Accounts", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = accounts.ToArray() },
                Time("At", at),
                Time("Now", now),
                lost.Column("Owners", NpgsqlDbType.Text, item => item.AccountId),
                lost.Column("Lots", NpgsqlDbType.Text, item => item.Lost.Lot.Key),
                lost.Column("Amounts", NpgsqlDbType.Numeric, item => item.Lost.Amount),
                lost.Column("Granted", NpgsqlDbType.Numeric, item => item.Lost.Lot.Amount),
                lost.Column("Ends", NpgsqlDbType.TimestampTz, item => item.Lost.Lot.ExpiresAt?.UtcDateTime),
                lost.Column("Expired", NpgsqlDbType.Boolean, item => item.Lost.Reason == BookOutReason.Expired),
            ],
            cancellationToken);

    /// <summary>A parameter that holds an instant.</summary>
    public static NpgsqlParameter Time(string name, DateTimeOffset? value) =>
        new(name, NpgsqlDbType.TimestampTz) { Value = value is { } time ? time.UtcDateTime : DBNull.Value };
}

/// <summary>An account that the sweep has locked.</summary>
/// <param name="Place">Where its row stands as long as it is locked.</param>
internal sealed record DueAccount(string AccountId, decimal Balance, DateTimeOffset At, string Place)
    : LockedAccount(AccountId, Balance, At);

/// <param name="Remainder">The credits that ended.</param>
internal sealed record BookedAccount(string AccountId, decimal Remainder);
