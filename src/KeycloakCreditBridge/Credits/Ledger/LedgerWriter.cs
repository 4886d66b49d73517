using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Credits.Balances;
using Npgsql;

namespace KeycloakCreditBridge.Credits.Ledger;

/// <summary>Carries out moves, each once for its key, and says why one is not.</summary>
internal sealed class LedgerWriter(CreditChangeStore store, BalanceInvalidator announcer, CreditsMetrics metrics, TimeProvider clock)
{
    private const int MostTries = 20;

    /// <summary>The answer as JSON; null when there is no account.</summary>
    /// <exception cref="RequestRefusedException">The account cannot pay, may not pay, or the key was used for another request.</exception>
    public async Task<string?> WriteAsync(CreditChange move)
    {
        for (var tries = 1; ; tries++)
        {
            var result = await TryAsync(move, tries);
            if (result is null)
                continue;
            if (result.EarlierHash is { } hash)
                return hash.AsSpan().SequenceEqual(move.Hash) ? result.Answer : throw IdempotencyKey.UsedBefore();
            if (result.Answer is { } answer)
            {
                announcer.Invalidate([result.AccountId!]);
                metrics.Changed(move.Type);
                return answer;
            }

            if (result.Status is null)
                return null;
            // Others moved it meanwhile: what it was says nothing about why this was refused.
            if (IsAllowed(move, result) && tries < MostTries)
                continue;
            throw Refusal(move, result);
        }
    }

    // Goes on when the caller hangs up: they would not know whether it was done.
    private async Task<CreditChangeResult?> TryAsync(CreditChange move, int tries)
    {
        try
        {
            return await store.TryWriteAsync(move, clock.GetUtcNow(), CancellationToken.None);
        }
        catch (PostgresException exception) when (IdempotencyKey.IsTaken(exception) && tries < MostTries)
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

    private static bool IsAllowed(CreditChange move, CreditChangeResult seen) =>
        (seen.Status == "active" || (seen.Status == "held" && move.Amount >= 0)) && (seen.Unlimited || seen.Balance + move.Amount >= 0);

    private RequestRefusedException Refusal(CreditChange move, CreditChangeResult seen)
    {
        if (seen.Status == "closed")
            return new(StatusCodes.Status409Conflict, "The account is closed: nothing is moved any more.", StatusOf(seen));
        if (seen.Status == "held")
            return new(StatusCodes.Status403Forbidden, "The account is held: it cannot pay until it is released.", StatusOf(seen));
        metrics.Insufficient();
        return new(
            StatusCodes.Status402PaymentRequired,
            "The credits do not suffice.",
            new Dictionary<string, object?> { ["balance"] = Amount.Text(seen.Balance ?? 0m), ["needed"] = Amount.Text(-move.Amount) });
    }

    private static Dictionary<string, object?> StatusOf(CreditChangeResult seen) => new() { ["account_status"] = seen.Status, ["reason"] = seen.StatusReason };
}
