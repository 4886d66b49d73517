using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Metering;

/// <summary>Says what a call costs in credits. Pure: the same record, tier and settings give the same price.</summary>
internal sealed class Pricing(IOptions<MeteringOptions> options)
{
    private const int Decimals = 6;
    private const decimal TokensOfAPrice = 1_000m;

    /// <param name="tier">The account's tier.</param>
    public decimal CreditsFor(UsageRecord record, string tier)
    {
        var prices = options.Value.Prices;
        if (record.CacheHit && prices.CacheHits == CacheHitPrice.Free)
            return 0m;
        // A gateway that knows no price for a model says zero.
        var known = prices.From == PriceSource.ResponseCost && record.Cost is > 0m;
        var price = known ? record.Cost!.Value * prices.Markups.GetValueOrDefault(tier, 1m) : record.Tokens * PerToken(prices, record, tier);
        return decimal.Round(price, Decimals, MidpointRounding.AwayFromZero);
    }

    private static decimal PerToken(PriceOptions prices, UsageRecord record, string tier) =>
        (record.Model is { } model && prices.Models.TryGetValue(model, out var ofModel) ? ofModel : prices.Tiers.GetValueOrDefault(tier)) / TokensOfAPrice;
}
