using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Credits.Balances;
using Npgsql;

namespace KeycloakCreditBridge.Credits.Ledger;

/// <summary>Writes credit changes, each once for its key, and says why one is refused.</summary>
internal sealed partial class LedgerWriter(
    CreditChangeStore store, BalanceInvalidator announcer, CreditsMetrics metrics, TimeProvider clock, ILogger<LedgerWriter> logger)
{
    private const int MostTries = 20;

    /// <summary>The answer as JSON; null when there is no account.</summary>
    /// <exception cref="RequestRefusedException">The account cannot pay, may not pay, or the key was used for another request.</exception>
    public async Task<string?> WriteAsync(CreditChange change)
    {
        for (var tries = 1; ; tries++)
        {
            var result = await TryAsync(change, tries);
            if (result is null)
                continue;
            if (result.EarlierHash is { } hash)
                return hash.AsSpan().SequenceEqual(change.Hash) ? result.Answer : throw IdempotencyKey.UsedBefore();
            if (result.Answer is { } answer)
            {
                announcer.Invalidate([result.AccountId!]);
                metrics.Changed(change.Type);
                if (logger.IsEnabled(LogLevel.Debug))
                    LogChanged(change);
                return answer;
            }

            if (result.Status is null)
                return null;
            if (result.IsDue && tries < MostTries)
            {
                await store.SettleAsync(result.AccountId!, CancellationToken.None);
                continue;
            }

            // The balance changed meanwhile, so that this result does not explain the refusal.
            if (IsAllowed(change, result) && tries < MostTries)
                continue;
            throw Refusal(change, result);
        }
    }

    private void LogChanged(CreditChange change)
    {
        using var about = logger.About(change.Selector.Realm, change.Selector.User);
        LogChanged(change.Type, change.Amount, change.CallerKey);
    }

    // It goes on when the caller disconnects, who could not know the outcome otherwise.
    private async Task<CreditChangeResult?> TryAsync(CreditChange change, int tries)
    {
        try
        {
            return await store.TryWriteAsync(change, clock.GetUtcNow(), CancellationToken.None);
        }
        catch (PostgresException exception) when (
            (IdempotencyKey.IsTaken(exception) || CreditChangeStore.IsRefundedMeanwhile(exception)) && tries < MostTries)
        {
            return null;
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.NumericValueOutOfRange)
        {
            throw RequestRefusedException.Invalid(new Dictionary<string, string> { ["amount"] = "is more than the account can hold" });
        }
        catch (NpgsqlException exception) when (exception is not PostgresException)
        {
            announcer.InvalidateAll();
            throw;
        }
    }

    private static bool IsAllowed(CreditChange change, CreditChangeResult seen) =>
        (seen.Status == "active" || (seen.Status == "held" && change.Amount >= 0) || change.AppliesToAnyStatus)
        && (seen.Unlimited || seen.Balance + change.Amount >= 0 || change.Amount >= 0 || change.MayOverdraw)
        && (change.Refunds is null || change.Amount <= seen.Refundable);

    private RequestRefusedException Refusal(CreditChange change, CreditChangeResult seen)
    {
        if (change.Refunds is not null && seen.Refundable is null)
            return RequestRefusedException.Invalid(new Dictionary<string, string> { ["refunds"] = "is not a usage of this account" });
        if (change.Refunds is not null && seen.Refundable < change.Amount)
        {
            return new(
                StatusCodes.Status409Conflict,
                "The refund is more than the usage took and was not refunded yet: refund at most 'refundable'.",
                new Dictionary<string, object?> { ["refundable"] = Amount.Text(seen.Refundable.Value) });
        }

        if (seen.Status == "closed" && !change.AppliesToAnyStatus)
            return new(StatusCodes.Status409Conflict, "The account is closed: its credits cannot change.", StatusOf(seen));
        if (seen.Status == "held" && !change.AppliesToAnyStatus)
            return new(StatusCodes.Status403Forbidden, "The account is held: it cannot be charged until it is released.", StatusOf(seen));
        metrics.Insufficient();
        return new(
            StatusCodes.Status402PaymentRequired,
            change.AppliesToAnyStatus ? "The credits do not suffice: set allow_negative to go below zero." : "The credits do not suffice.",
            new Dictionary<string, object?> { ["balance"] = Amount.Text(seen.Balance ?? 0m), ["needed"] = Amount.Text(-change.Amount) });
    }

    private static Dictionary<string, object?> StatusOf(CreditChangeResult seen) =>
        new() { ["account_status"] = seen.Status, ["reason"] = seen.StatusReason };

    [LoggerMessage(EventId = 840, Level = LogLevel.Debug, Message = "Credits changed by {Amount} ({Type}), asked for by {Caller}.")]
    private partial void LogChanged(string type, decimal amount, string caller);
}
