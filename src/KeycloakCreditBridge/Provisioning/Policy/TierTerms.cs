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
