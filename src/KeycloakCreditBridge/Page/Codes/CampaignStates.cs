using KeycloakCreditBridge.Grants.Codes.Campaigns;

namespace KeycloakCreditBridge.Page.Codes;

/// <summary>Whether the codes of a campaign can be redeemed, in a word.</summary>
internal static class CampaignStates
{
    public static string Of(Campaign campaign, DateTimeOffset now) => campaign switch
    {
        { Codes: var codes, Disabled: var disabled } when codes == disabled => "disabled",
        { EndsAt: { } end } when end <= now => "ended",
        { StartsAt: var start } when start > now => "not_begun",
        { Places: var places, Taken: var taken } when taken >= places => "used_up",
        _ => "open",
    };
}
