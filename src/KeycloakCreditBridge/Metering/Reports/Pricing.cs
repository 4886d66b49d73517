using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Metering.Reports;

/// <summary>Prices calls in credits. Pure: the same record, tier and settings give the same price.</summary>
internal sealed class Pricing(IOptions<MeteringOptions> options)
{
    private const int Decimals = 6;
    private const decimal MinPrice = 0.000001m;
    private const decimal TokensPerPrice = 1_000m;

    private readonly Dictionary<string, decimal> _models = ModelsOf(options.Value.Prices);

    /// <summary>Whether the call is free by rule.</summary>
    public bool IsFree(UsageRecord record) => record.CacheHit && options.Value.Prices.CacheHits == CacheHitPrice.Free;

    /// <param name="tier">The account's tier.</param>
    public decimal CreditsFor(UsageRecord record, string tier)
    {
        if (IsFree(record))
            return 0m;
        var prices = options.Value.Prices;
        // A gateway without a price for a model reports zero.
        var known = prices.From == PriceSource.ResponseCost && record.Cost is > 0m;
        var price = known ? record.Cost!.Value * prices.Markups.GetValueOrDefault(tier, 1m) : record.Tokens * PerToken(record, tier);
        // Rounding to zero would make any number of small calls free.
        return price is > 0m and < MinPrice ? MinPrice : decimal.Round(price, Decimals, MidpointRounding.AwayFromZero);
    }

    private decimal PerToken(UsageRecord record, string tier) =>
        (Find(record.Model) ?? Find(record.ModelGroup) ?? options.Value.Prices.Tiers.GetValueOrDefault(tier)) / TokensPerPrice;

    private decimal? Find(string? model) => model is not null && _models.TryGetValue(model, out var price) ? price : null;

    private static Dictionary<string, decimal> ModelsOf(PriceOptions prices)
    {
        var models = new Dictionary<string, decimal>(prices.Models, StringComparer.Ordinal);
        foreach (var named in prices.NamedModels)
            models[named.Model] = named.Credits ?? 0m;
        return models;
    }
}
