using System.ComponentModel.DataAnnotations;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Grants.Codes.Campaigns;

namespace KeycloakCreditBridge.Credits.Codes;

/// <param name="Code">As the user typed it; blanks, hyphens and case do not count.</param>
internal sealed record RedeemShape([property: Length(1, 64)] string Code);

/// <param name="GrantKey">Of the grant, also while it waits.</param>
/// <param name="State">`paid`; or `held`: the place is kept, and paid once nothing is missing.</param>
/// <param name="Missing">`email_verified`, or `active_account` where the account is held.</param>
internal sealed record RedeemedShape(string UserId, string GrantKey, string State, string Amount, string Balance, string[] Missing);

/// <param name="Name">1 to 40 characters a-z, 0-9, _ and -.</param>
/// <param name="Credits">What each redemption pays.</param>
/// <param name="ExpiresAfter">How long after its redemption a grant ends, such as `30.00:00:00`; never when left out.</param>
/// <param name="StartsAt">Now when left out.</param>
/// <param name="EndsAt">Codes are redeemed before this instant; for ever when left out.</param>
/// <param name="VerifiedEmail">Whether a place is paid only once the user's address is verified.</param>
/// <param name="Once">What is paid once: `user`, or a verified `email` or `inbox`, also of another account; `user` when left out.</param>
/// <param name="Count">How many codes; 1 when left out.</param>
/// <param name="MaxRedemptions">How many users may redeem each code; 1 when left out.</param>
/// <param name="Code">A chosen word, 4 to 32 characters A-Z, 0-9 and -; then `max_redemptions` is required.</param>
internal sealed record CreateCampaignShape(
    [property: RegularExpression("^[a-z0-9][a-z0-9_-]{0,39}$")] string Name, decimal Credits, string? ExpiresAfter = null,
    DateTimeOffset? StartsAt = null, DateTimeOffset? EndsAt = null, bool VerifiedEmail = false,
    [property: RegularExpression("^(user|email|inbox)$")] string? Once = null,
    [property: Range(1, 10_000)] int? Count = null,
    [property: Range(1, 1_000_000_000)] int? MaxRedemptions = null, [property: Length(4, 32)] string? Code = null);

/// <summary>A campaign that was made. Its codes are shown this once.</summary>
internal sealed record CreatedCampaignShape(string Name, CreatedCodeShape[] Codes);

internal sealed record CreatedCodeShape(int Number, string Code);

/// <param name="Requires">`email_verified`, or nothing.</param>
/// <param name="Places">Of all its codes.</param>
/// <param name="Taken">Places that are taken.</param>
/// <param name="Disabled">Codes that cannot be redeemed any more.</param>
/// <param name="Paid">Redemptions that were paid and not voided.</param>
/// <param name="Held">Redemptions that wait for what is required.</param>
internal sealed record CampaignShape(
    string Name, string Credits, string? ExpiresAfter, DateTimeOffset StartsAt, DateTimeOffset? EndsAt, string[] Requires, string CreatedBy,
    DateTimeOffset CreatedAt, long Codes, long Places, long Taken, long Disabled, long Paid, long Held)
{
    public static CampaignShape Of(Campaign campaign) => new(
        campaign.Name, Amount.Text(campaign.Credits), campaign.ExpiresAfter?.ToString(), campaign.StartsAt, campaign.EndsAt,
        campaign.Requires.Split(',', StringSplitOptions.RemoveEmptyEntries), campaign.CreatedBy, campaign.CreatedAt, campaign.Codes,
        campaign.Places, campaign.Taken, campaign.Disabled, campaign.Paid, campaign.Held);
}

internal sealed record CampaignCodesShape(CampaignShape Campaign, CampaignCodeShape[] Codes);

/// <param name="Number">Its place in the list that was shown when it was made.</param>
/// <param name="GrantKey">Of the grants that it gives.</param>
internal sealed record CampaignCodeShape(int Number, string GrantKey, long Places, long Taken, DateTimeOffset? DisabledAt)
{
    public static CampaignCodeShape Of(CampaignCode code) => new(code.Number, code.GrantKey, code.Places, code.Taken, code.DisabledAt);
}

/// <param name="Number">Of one code; all when left out.</param>
internal sealed record DisableCodesShape([property: Range(1, 10_000)] int? Number = null);

/// <param name="Disabled">Codes that were not disabled before.</param>
internal sealed record DisabledCodesShape(string Name, long Disabled);

/// <param name="Release">Whether places of paid codes are given back; those of held ones always are.</param>
/// <param name="Confirm">How many redemptions these are; without it they are counted only.</param>
internal sealed record VoidCampaignShape(
    [property: Length(1, 500)] string Reason, [property: RegularExpression("^(stop|others|all)$")] string? Beyond = null,
    bool Release = false, [property: Range(0, int.MaxValue)] int? Confirm = null);

/// <param name="Redemptions">Those that were paid or held, before.</param>
/// <param name="Credits">What was given by them.</param>
/// <param name="Taken">What was taken from balances.</param>
/// <param name="Rejected">Held ones that are not paid any more.</param>
internal sealed record VoidedCampaignShape(string Name, long Redemptions, string Credits, long Voided, string Taken, long Rejected);
