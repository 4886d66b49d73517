using KeycloakCreditBridge.Provisioning.Policy;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Provisioning.Accounts;

/// <summary>The configured tiers, and how a switch between them is pro-rated.</summary>
internal sealed class TierCatalogue(IOptions<ProvisioningOptions> options)
{
    /// <summary>All of them.</summary>
    public IReadOnlyList<TierTerms> All { get; } = [.. options.Value.Tiers.Select(tier => TierTerms.Of(tier.Key, tier.Value))];

    /// <summary>Their names.</summary>
    public string[] Names { get; } = [.. options.Value.Tiers.Keys];

    /// <summary>What each gives for a period, in the order of the names.</summary>
    public decimal[] Credits { get; } = [.. options.Value.Tiers.Values.Select(tier => tier.Credits)];

    public ProRating ProRating => new(options.Value.ProRate ? options.Value.Period : null, All);

    /// <summary>The tier of this name, or null.</summary>
    public TierTerms? Find(string name) => All.FirstOrDefault(tier => tier.Tier == name);
}
