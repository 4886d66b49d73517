using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Grants.Budgets;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Lots;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Referrals.Payments;

/// <summary>Takes back what a referral paid, or cancels one that waits. One transaction for both sides.</summary>
internal sealed class ReferralReversal(
    NpgsqlDataSource dataSource, LotBooking booking, GrantEnds ends, ReferralMetrics metrics, TimeProvider clock)
{
    /// <summary>Voids what is left of the grants. It may be repeated, and for the other side later.</summary>
    public async Task<ReversedReferral> ReverseAsync(ReversalOrder order, ReferralTerms? terms, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (await ReferralStore.AccountsAsync(connection, order.Id, cancellationToken) is not { } accounts)
            return ReversedReferral.Unknown;
        await BookingStore.LockAsync(connection, accounts.All, all: true, ends.At, cancellationToken);
        if (await ReversalStore.FindAsync(connection, order.Id, cancellationToken) is not { } referral
            || referral.Referrer != accounts.Referrer || referral.Referee != accounts.Referee)
            return ReversedReferral.Unknown;
        var now = clock.GetUtcNow();
        var from = ReferralMoves.Parse(referral.State);
        var isPaid = referral.RefereeGrant is not null;
        var to = StateAfter(isPaid);
        if (!IsPossible(from, isPaid))
            return new ReversedReferral(ReversalOutcome.IsOver, from, accounts);
        var fromReferrer = order.Side != ReferralSide.Referee
            ? await VoidAsync(connection, order, referral.Referrer, referral.ReferrerGrant, now, cancellationToken) : null;
        var fromReferee = order.Side != ReferralSide.Referrer
            ? await VoidAsync(connection, order, referral.Referee, referral.RefereeGrant, now, cancellationToken) : null;
        if (from != ReferralState.Reversed)
        {
            if (!isPaid)
                await ReferralStore.FreePlaceAsync(connection, order.Id, cancellationToken);
            await ReferralStore.MoveAsync(
                connection, new ReferralMove(order.Id, from, to, ReferralReasons.Reversed) { FreesPlace = !isPaid }, now,
                cancellationToken);
        }

        if (fromReferrer is { } taken && terms?.Budget is { } budget && referral.Realm is { } realm)
        {
            await BudgetStore.GiveBackAsync(
                connection, $"{realm}:{ReferralTerms.Policy}:", budget.Per, taken, referral.EndedAt ?? now, ends.At, cancellationToken);
        }

        await ReversalStore.AuditAsync(connection, order, referral, to, now, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        if (from != ReferralState.Reversed)
            metrics.Moved(to, ReferralReasons.Reversed);
        return new ReversedReferral(ReversalOutcome.Done, to, accounts)
        {
            FromReferrer = fromReferrer ?? 0m, FromReferee = fromReferee ?? 0m,
        };
    }

    /// <summary>Whether a referral in this state can be reversed; one that is reversed can be again, for the other side.</summary>
    public static bool IsPossible(ReferralState from, bool isPaid) =>
        from == ReferralState.Reversed || ReferralMoves.IsAllowed(from, StateAfter(isPaid));

    private static ReferralState StateAfter(bool isPaid) => isPaid ? ReferralState.Reversed : ReferralState.Canceled;

    // Null where there is nothing to void, or it was voided before.
    private async Task<decimal?> VoidAsync(
        NpgsqlConnection connection, ReversalOrder order, string accountId, string? grant, DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        if (grant is null || await booking.OpenAsync(connection, accountId, fromStart: false, cancellationToken) is not { } account
            || account.Lots.Ledger.Find(grant) is not { } lot
            || await GrantStore.IsVoidAsync(connection, accountId, grant, cancellationToken))
            return null;
        var taken = account.Lots.Ledger.VoidAmount(grant, VoidReach.Stop);
        await GrantStore.VoidAsync(
            connection, new GrantVoid(accountId, grant, VoidReach.Stop, order.Note, order.By, order.Address), lot, taken, account.At, now,
            cancellationToken);
        return taken;
    }
}

internal enum ReferralSide
{
    Both,
    Referrer,
    Referee,
}

/// <summary>Takes back what a referral paid.</summary>
/// <param name="Note">The reason, for the ledger and the audit log.</param>
/// <param name="By">The caller.</param>
/// <param name="Address">The caller's address.</param>
internal sealed record ReversalOrder(Guid Id, ReferralSide Side, string Note, string By, string? Address = null);

internal enum ReversalOutcome
{
    Done,
    Unknown,

    /// <summary>It was refused, canceled or expired: it paid nothing.</summary>
    IsOver,
}

/// <param name="State">As it is afterwards.</param>
internal sealed record ReversedReferral(ReversalOutcome Outcome, ReferralState State, ReferralAccounts? Accounts)
{
    public static readonly ReversedReferral Unknown = new(ReversalOutcome.Unknown, ReferralState.Refused, null);

    /// <summary>Credits taken from the referrer.</summary>
    public decimal FromReferrer { get; init; }

    /// <summary>Credits taken from the referee.</summary>
    public decimal FromReferee { get; init; }
}
