using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Grants.InUse;
using Microsoft.Extensions.Options;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Given;

/// <summary>What writers and readers of balances need of ends: the time, what a grant gets, and booking what is due.</summary>
internal sealed class GrantEnds(IOptions<GrantsOptions> options, GrantClock clock, LotBooking booking, LotsInUse inUse)
{
    /// <summary>What the opening grant gets.</summary>
    public GrantTerms Opening => options.Value.Opening;

    /// <summary>What the grant of a period gets.</summary>
    public GrantTerms Period => options.Value.Period;

    /// <summary>Whether something is due in account c; it needs <see cref="AtOf"/>.</summary>
    public const string IsDue = "c.next_expiry is not null and c.next_expiry <= coalesce(@At::timestamptz, now())";

    /// <summary>Whether nothing is due in account c, and all of its balance may be spent; it needs <see cref="AtOf"/>.</summary>
    public const string IsFree = "(c.next_expiry is null or c.next_expiry > coalesce(@At::timestamptz, now()))";

    /// <summary>The parameter @At: null in production, where the database's time counts.</summary>
    public static NpgsqlParameter AtOf(GrantEnds? ends) => BookingStore.Time("At", ends?.At);

    /// <summary>The parameters @EndsAfter, @Priority and @Stamps of a grant with these terms.</summary>
    public static NpgsqlParameter[] Parameters(GrantTerms? terms) =>
    [
        new("EndsAfter", NpgsqlDbType.Interval) { Value = terms?.ExpiresAfter is { } after ? after : DBNull.Value },
        new("Priority", NpgsqlDbType.Smallint) { Value = (short)(terms?.Priority ?? Lots.Lot.DefaultPriority) },
        new("Stamps", NpgsqlDbType.Boolean) { Value = terms?.IsStamped ?? false },
    ];

    /// <summary>The tests' time; null for the database's.</summary>
    public DateTimeOffset? At => clock.At;

    /// <summary>Books what is due in accounts; true if something was.</summary>
    public Task<bool> SettleAsync(IReadOnlyCollection<string> accounts, CancellationToken cancellationToken) =>
        booking.SettleAsync(accounts, cancellationToken);

    /// <summary>The same in the caller's transaction.</summary>
    public Task SettleAsync(NpgsqlConnection connection, IReadOnlyCollection<string> accounts, CancellationToken cancellationToken) =>
        accounts.Count == 0 ? Task.CompletedTask : booking.SettleAsync(connection, accounts, cancellationToken);

    /// <summary>Locks an account, due or not, and books what is due; null without an account.</summary>
    public Task<OpenedAccount?> OpenAsync(
        NpgsqlConnection connection, string account, bool fromStart, CancellationToken cancellationToken) =>
        booking.OpenAsync(connection, account, fromStart, cancellationToken);

    /// <summary>
    /// Gives what is left of promotional grants without an end one that follows after some time; bought credits have none unasked.
    /// </summary>
    /// <param name="connection">In a transaction.</param>
    /// <param name="accounts">The accounts.</param>
    /// <param name="after">Counted from this moment.</param>
    /// <param name="by">The caller, for the ledger and the audit log.</param>
    /// <param name="now">The time of what is written.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task GiveAsync(
        NpgsqlConnection connection, IReadOnlyCollection<string> accounts, TimeSpan after, string by, DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        var locked = await BookingStore.LockAsync(connection, accounts, all: true, At, cancellationToken);
        if (locked.Count == 0)
            return;
        var lots = await Lots.LotStore.LoadAsync(connection, locked, fromStart: true, cancellationToken);
        await EndStore.EndAsync(
            connection,
            [
                .. locked.SelectMany(account => lots[account.AccountId].Ledger.Lots
                    .Where(lot => lot is { IsPaid: false, IsClosed: false, ExpiresAt: null, Left: > 0m })
                    .OrderBy(lot => lot.Key, StringComparer.Ordinal).Select(lot => (account.AccountId, lot))),
            ],
            locked[0].At + after, by, now, cancellationToken);
    }

    /// <summary>To be called before a grant with these terms is written.</summary>
    public Task EnsureAsync(bool hasEnd, CancellationToken cancellationToken) =>
        hasEnd ? inUse.EnsureAsync(cancellationToken) : Task.CompletedTask;
}
