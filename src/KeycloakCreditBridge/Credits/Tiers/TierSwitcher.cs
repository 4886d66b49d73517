using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Provisioning.Policy;
using Npgsql;

namespace KeycloakCreditBridge.Credits.Tiers;

/// <summary>Switches the tier of an account, once for its key.</summary>
internal sealed class TierSwitcher(TierStore store, TimeProvider clock)
{
    private const string Closed = "The account is closed: its tier cannot be switched.";
    private const int MostTries = 20;

    /// <summary>The balance as JSON; null when there is no account.</summary>
    /// <exception cref="RequestRefusedException">The account is closed, or the key was used for another request.</exception>
    public async Task<string?> SwitchAsync(TierSwitchRequest order, ProRating proRating)
    {
        for (var tries = 1; ; tries++)
        {
            if (await TrySwitchAsync(order, proRating, tries) is not { } result)
                continue;
            if (result.EarlierHash is { } hash)
                return hash.AsSpan().SequenceEqual(order.Hash) ? result.Answer : throw IdempotencyKey.UsedBefore();
            if (result.Answer is not null || result.Status is null)
                return result.Answer;
            // An open account that was not switched was renamed or closed meanwhile: the next try finds out.
            if (result.Status == "closed" || tries == MostTries)
                throw new RequestRefusedException(StatusCodes.Status409Conflict, Closed);
        }
    }

    // A concurrent request under the same key was faster: the next try finds its answer.
    private async Task<TierSwitchResult?> TrySwitchAsync(TierSwitchRequest order, ProRating proRating, int tries)
    {
        try
        {
            return await store.SwitchAsync(order, proRating, clock.GetUtcNow(), CancellationToken.None);
        }
        catch (PostgresException exception) when (IdempotencyKey.IsTaken(exception) && tries < MostTries)
        {
            return null;
        }
    }
}
