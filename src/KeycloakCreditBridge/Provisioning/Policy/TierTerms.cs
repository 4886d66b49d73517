using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Provisioning.Policy;

/// <summary>What a tier gives.</summary>
/// <param name="Credits">For each period.</param>
/// <param name="MonthlyCap">Null without a bound.</param>
internal sealed record TierTerms(string Tier, decimal Credits, decimal? MonthlyCap, bool Unlimited)
{
    public static TierTerms Of(string name, TierOptions options) =>
        new(name, options.Credits, options.Unlimited ? null : options.MonthlyCap ?? options.Credits, options.Unlimited);
}

/// <summary>What a switch in the middle of a period is worth.</summary>
/// <param name="Period">How long a period lasts; null where nothing is pro-rated.</param>
/// <param name="Tiers">What tiers give for a whole period.</param>
internal sealed record ProRating(TimeSpan? Period, IReadOnlyCollection<TierTerms> Tiers);

/// <summary>
/// The configured tiers, and how a switch between them is pro-rated. Equal tiers of two versions of the settings are equal.
/// </summary>
internal sealed class TierCatalogue(IOptions<ProvisioningOptions> options) : IEquatable<TierCatalogue>
{
    /// <summary>All of them.</summary>
    public IReadOnlyList<TierTerms> All { get; } = [.. options.Value.Tiers.Select(tier => TierTerms.Of(tier.Key, tier.Value))];

    /// <summary>Their names.</summary>
    public string[] Names { get; } = [.. options.Value.Tiers.Keys];

    /// <summary>What each gives for a period, in the order of the names.</summary>
    public decimal[] Credits { get; } = [.. options.Value.Tiers.Values.Select(tier => tier.Credits)];

    public ProRating ProRating => new(options.Value.ProRate ? options.Value.Period : null, All);

    /// <summary>How long a period of any of them lasts.</summary>
    public TimeSpan Period => options.Value.Period;

    /// <summary>The tier of this name, or null.</summary>
    public TierTerms? Find(string name) => All.FirstOrDefault(tier => tier.Tier == name);

    public bool Equals(TierCatalogue? other) => ReferenceEquals(this, other)
        || (other is not null && other.ProRating.Period == ProRating.Period && other.Period == Period && other.All.SequenceEqual(All));

    public override bool Equals(object? obj) => Equals(obj as TierCatalogue);

    public override int GetHashCode() => All.Count;
}
