using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Grants.InUse;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Storage.Migrations;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Given;

/// <summary>An account's grants: lists them, takes one back, changes an end. Each in a transaction that books what is due first.</summary>
internal sealed class GrantBook(NpgsqlDataSource dataSource, LotBooking booking, LotsInUse inUse, TimeProvider clock)
{
    /// <summary>All grants with what is left of each; null without an account.</summary>
    public async Task<AccountGrants?> ListAsync(string accountId, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (await booking.OpenAsync(connection, accountId, fromStart: false, cancellationToken) is not { } account)
            return null;
        var (ledger, stamps) = (account.Lots.Ledger, account.Lots.Stamps);
        var reasons = await GrantStore.ReasonsAsync(connection, accountId, [.. ledger.Lots.Select(lot => lot.Key)], cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return new AccountGrants(
            accountId, ledger.Balance, ledger.Debt,
            [.. ledger.Lots.Where(lot => lot.Amount > 0m).OrderBy(lot => lot.GrantedAt).ThenBy(lot => lot.Key, StringComparer.Ordinal)
                .Select(lot => Shown(lot, stamps.GetValueOrDefault(lot.Key), account.At) with
                {
                    Reason = reasons.GetValueOrDefault(lot.Key),
                })],
            account.At);
    }

    /// <summary>Books what is due in an account; true if something was.</summary>
    public Task<bool> SettleAsync(string accountId, CancellationToken cancellationToken) =>
        booking.SettleAsync([accountId], cancellationToken);

    /// <summary>Takes a grant back, once: its remainder, and from other grants as far as the order reaches.</summary>
    public async Task<VoidResult> VoidAsync(GrantVoid order, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (await booking.OpenAsync(connection, order.AccountId, fromStart: false, cancellationToken) is not { } account)
            return new VoidResult(GrantChangeOutcome.NoAccount);
        var ledger = account.Lots.Ledger;
        if (ledger.Find(order.GrantKey) is not { } lot)
            return new VoidResult(GrantChangeOutcome.UnknownGrant);
        if (await GrantStore.IsVoidAsync(connection, order.AccountId, order.GrantKey, cancellationToken))
            return new VoidResult(GrantChangeOutcome.AlreadyDone, Balance: ledger.Balance);
        var taken = ledger.VoidAmount(order.GrantKey, order.Beyond);
        var balance = await GrantStore.VoidAsync(connection, order, lot, taken, account.At, clock.GetUtcNow(), cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return new VoidResult(GrantChangeOutcome.Done, taken, balance);
    }

    /// <summary>Changes the end or priority of a grant that is open. An end that has passed ends it in the same transaction.</summary>
    /// <exception cref="OlderReplicasException">A live replica does not know lots, and the grant would get an end.</exception>
    public async Task<ExtendResult> ExtendAsync(GrantExtension order, CancellationToken cancellationToken)
    {
        if (order is { ChangesEnd: true, ExpiresAt: not null })
            await inUse.EnsureAsync(cancellationToken);
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (await booking.OpenAsync(connection, order.AccountId, fromStart: false, cancellationToken) is not { } account)
            return new ExtendResult(GrantChangeOutcome.NoAccount);
        if (account.Lots.Ledger.Find(order.GrantKey) is not { } lot)
            return new ExtendResult(GrantChangeOutcome.UnknownGrant);
        if (lot.IsClosed || lot.ExpiresAt <= account.At)
            return new ExtendResult(GrantChangeOutcome.AlreadyDone);
        await GrantStore.ExtendAsync(connection, order, lot, account.At, clock.GetUtcNow(), cancellationToken);
        var after = await booking.OpenAsync(connection, order.AccountId, fromStart: false, cancellationToken);
        var reasons = await GrantStore.ReasonsAsync(connection, order.AccountId, [order.GrantKey], cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        var lots = after!.Lots;
        return new ExtendResult(
            GrantChangeOutcome.Done,
            Shown(lots.Ledger.Find(order.GrantKey)!, lots.Stamps.GetValueOrDefault(order.GrantKey), account.At) with
            {
                Reason = reasons.GetValueOrDefault(order.GrantKey),
            },
            lots.Ledger.Balance);
    }

    private static GivenGrant Shown(Lot lot, StampRow? stamp, DateTimeOffset at)
    {
        var isOver = lot.ExpiresAt <= at;
        return new GivenGrant(
            lot.Key, lot.Amount, lot.Left, lot.IsPaid ? GrantCategory.Paid : GrantCategory.Promotional, lot.Priority, lot.GrantedAt,
            lot.ExpiresAt, stamp?.ClosedAt ?? (isOver ? lot.ExpiresAt : null),
            stamp?.CloseReason ?? (isOver ? "expired" : lot.IsClosed ? "period_ended" : null),
            stamp?.Policy, stamp?.PolicyVersion, stamp?.Evidence)
        {
            IsClosed = lot.IsClosed || isOver,
        };
    }
}
