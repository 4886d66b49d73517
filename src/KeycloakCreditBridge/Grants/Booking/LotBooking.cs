using KeycloakCreditBridge.Grants.Lots;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Booking;

/// <summary>
/// Books out what is over, in the transaction that is about to change a balance. It holds the account's lock from then on,
/// so that nothing is booked twice, by whichever replica or sweep.
/// </summary>
internal sealed class LotBooking(NpgsqlDataSource dataSource, GrantClock ends, GrantsMetrics metrics, TimeProvider clock)
{
    /// <summary>Books what is due in these accounts and commits; false where nothing was.</summary>
    public async Task<bool> SettleAsync(IReadOnlyCollection<string> accounts, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var booked = await SettleAsync(connection, accounts, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return booked > 0;
    }

    /// <summary>The same in the caller's transaction, which then holds the locks of those accounts. Returns their number.</summary>
    public async Task<int> SettleAsync(
        NpgsqlConnection connection, IReadOnlyCollection<string> accounts, CancellationToken cancellationToken)
    {
        var due = await BookingStore.LockAsync(connection, accounts, all: false, ends.At, cancellationToken);
        await SettleLockedAsync(connection, due, fromStart: false, cancellationToken);
        return due.Count;
    }

    /// <summary>Locks the account, due or not, and books what is due; null without an account.</summary>
    /// <param name="connection">In a transaction.</param>
    /// <param name="account">The account.</param>
    /// <param name="fromStart">Whether a refund follows, which needs the whole ledger.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<OpenedAccount?> OpenAsync(
        NpgsqlConnection connection, string account, bool fromStart, CancellationToken cancellationToken)
    {
        if (await BookingStore.LockAsync(connection, [account], all: true, ends.At, cancellationToken) is not [var locked])
            return null;
        var lots = await SettleLockedAsync(connection, [locked], fromStart, cancellationToken);
        return new OpenedAccount(account, lots[account], locked.At, lots[account].Ledger.Balance != locked.Balance);
    }

    /// <summary>Books the next accounts that are due and free. Returns how many they are.</summary>
    public async Task<int> SettleNextAsync(int limit, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var due = await BookingStore.LockNextAsync(connection, limit, ends.At, cancellationToken);
        if (due.Count == 0)
            return 0;
        var simple = (await BookingStore.BookSimpleAsync(connection, due, clock.GetUtcNow(), cancellationToken))
            .ToDictionary(account => account.AccountId, account => account.Remainder, StringComparer.Ordinal);
        metrics.Expired(simple.Count(account => account.Value > 0m), simple.Values.Sum());
        await SettleLockedAsync(
            connection, [.. due.Where(account => !simple.ContainsKey(account.AccountId))], fromStart: false, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return due.Count;
    }

    private async Task<IReadOnlyDictionary<string, AccountLots>> SettleLockedAsync(
        NpgsqlConnection connection, IReadOnlyList<LockedAccount> locked, bool fromStart, CancellationToken cancellationToken)
    {
        if (locked.Count == 0)
            return new Dictionary<string, AccountLots>();
        string[] accounts = [.. locked.Select(account => account.AccountId)];
        var lots = await LotStore.LoadAsync(connection, locked, fromStart, cancellationToken);
        foreach (var id in accounts)
            await LotStore.SaveAsync(connection, id, lots[id], cancellationToken);
        List<(string AccountId, BookedOut Lost)> lost =
            [.. accounts.SelectMany(id => lots[id].Ledger.Due(locked[0].At).Select(part => (id, part)))];
        await BookingStore.BookAsync(connection, accounts, lost, locked[0].At, clock.GetUtcNow(), cancellationToken);
        foreach (var (id, part) in lost)
            lots[id].Ledger.Apply(part.EntryAt(LedgerRow.ExpireKey + part.Lot.Key, locked[0].At));
        metrics.Expired(lost.Count, lost.Sum(part => part.Lost.Amount));
        return lots;
    }
}

/// <summary>An account whose lock the transaction holds and in which nothing is due.</summary>
/// <param name="At">The time by which ends are compared.</param>
/// <param name="HasBooked">Whether something was due.</param>
internal sealed record OpenedAccount(string AccountId, AccountLots Lots, DateTimeOffset At, bool HasBooked);
