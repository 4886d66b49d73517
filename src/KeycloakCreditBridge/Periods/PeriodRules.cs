using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Provisioning.Policy;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Periods;

/// <summary>What a new period grants and forfeits, by the settings of periods and of tiers.</summary>
internal sealed class PeriodRules(IOptions<PeriodsOptions> periods, IOptions<ProvisioningOptions> provisioning)
{
    public PeriodTerms Terms { get; } = new(
        provisioning.Value.Period,
        periods.Value.Rollover,
        periods.Value.MaxRollover,
        [.. provisioning.Value.Tiers.Select(tier => new TierPeriod(
            tier.Key, tier.Value.Credits, tier.Value.Unlimited,
            periods.Value.MaxRolloverByTier.TryGetValue(tier.Key, out var cap) ? cap : null))])
    {
        Lost = periods.Value.Bought == BoughtCredits.Keep ? LotGroup.Promotional : LotGroup.All,
    };
}
