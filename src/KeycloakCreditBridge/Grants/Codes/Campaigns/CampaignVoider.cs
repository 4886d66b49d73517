using KeycloakCreditBridge.Grants.Codes.Redemptions;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Lots;

namespace KeycloakCreditBridge.Grants.Codes.Campaigns;

/// <summary>
/// Takes back what the codes of a campaign gave, and rejects what is held. Each redemption is done for itself: a run that was killed is
/// repeated, and goes on where that one ended.
/// </summary>
internal sealed class CampaignVoider(OpenRedemptionStore open, HeldRedemptionStore redemptions, GrantBook book, TimeProvider clock)
{
    /// <summary>Counts open redemptions, and ends them where that is the number which was confirmed.</summary>
    public async Task<VoidedCampaign> VoidAsync(CampaignVoid order, CancellationToken cancellationToken)
    {
        var all = await open.ListAsync(order.Realm, order.Campaign, cancellationToken);
        var counted = new VoidedCampaign(
            all.Count, all.Where(redemption => redemption.IsPaid).Sum(redemption => redemption.Credits), 0, 0m, 0);
        if (order.Confirmed != all.Count)
            return counted;
        foreach (var redemption in all)
            counted = await EndAsync(order, redemption, counted, cancellationToken);
        return counted;
    }

    private async Task<VoidedCampaign> EndAsync(
        CampaignVoid order, OpenRedemption redemption, VoidedCampaign soFar, CancellationToken cancellationToken)
    {
        var result = redemption.IsPaid
            ? await book.VoidAsync(
                new GrantVoid(redemption.AccountId, redemption.GrantKey, order.Beyond, order.Reason, order.By, order.Address),
                cancellationToken)
            : null;
        var isEnded = await redemptions.EndAsync(
            new EndedRedemption(redemption.CampaignId, redemption.AccountId, redemption.State, order.Release, order.By),
            clock.GetUtcNow(), cancellationToken);
        return !isEnded ? soFar
            : result is null ? soFar with { Rejected = soFar.Rejected + 1 }
            : soFar with { Voided = soFar.Voided + 1, Taken = soFar.Taken + result.Taken };
    }
}

/// <summary>Takes back what a campaign gave.</summary>
/// <param name="Release">Whether places of paid codes are given back; those of held ones are.</param>
/// <param name="Confirmed">How many redemptions these are; null where they are counted only.</param>
internal sealed record CampaignVoid(
    string Realm, string Campaign, VoidReach Beyond, string Reason, bool Release, long? Confirmed, string By, string? Address = null);

/// <param name="Redemptions">Open ones, before.</param>
/// <param name="Credits">What was given by them.</param>
/// <param name="Taken">What was taken from balances.</param>
/// <param name="Rejected">Held ones that are not paid any more.</param>
internal sealed record VoidedCampaign(long Redemptions, decimal Credits, long Voided, decimal Taken, long Rejected);
