using KeycloakCreditBridge.Metering.Reports.Records;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Metering.Reports;

/// <summary>Prices calls in credits. Pure: the same record, tier and settings give the same price.</summary>
internal sealed class Pricing(IOptions<MeteringOptions> options)
{
    private const int Decimals = 6;
    private const decimal MinPrice = 0.000001m;
    private const decimal TokensPerPrice = 1_000m;

    /// <summary>Whether failed calls are charged.</summary>
    public bool ChargesFailures => options.Value.FailedCalls == FailedCallPolicy.Charge;

    /// <summary>Whether a balance is charged down to zero at most.</summary>
    public bool Clamps => options.Value.BelowZero == BelowZero.Clamp;

    private readonly Dictionary<string, decimal> _models = ModelsOf(options.Value.Prices);

    /// <summary>Whether the call is free by rule.</summary>
    public bool IsFree(UsageRecord record) => record.CacheHit && options.Value.Prices.CacheHits == CacheHitPrice.Free;

    /// <summary>Whether the price depends on tokens that the record does not have.</summary>
    public bool LacksTokens(UsageRecord record) => record.Tokens is null && !record.IsPending && !IsFree(record) && !HasCost(record);

    /// <param name="record">One that does not lack its tokens.</param>
    /// <param name="tier">The account's tier.</param>
    public decimal CreditsFor(UsageRecord record, string tier)
    {
        // Another record carries what a pending object costs: its tokens must not use the id up.
        if (record.IsPending || IsFree(record))
            return 0m;
        var price = HasCost(record)
            ? record.Cost!.Value * options.Value.Prices.Markups.GetValueOrDefault(tier, 1m)
            : record.Tokens.GetValueOrDefault() * PerToken(record, tier);
        // Rounding to zero would make any number of small calls free.
        return price is > 0m and < MinPrice ? MinPrice : decimal.Round(price, Decimals, MidpointRounding.AwayFromZero);
    }

    // A gateway without a price for a model reports zero.
    private bool HasCost(UsageRecord record) => options.Value.Prices.From == PriceSource.ResponseCost && record.Cost is > 0m;

    private decimal PerToken(UsageRecord record, string tier) =>
        (Find(record.Model) ?? Find(record.ModelGroup) ?? OfTier(record, tier)) / TokensPerPrice;

    // The gateway may report the cost of a finished object later, so only a price of the operator's charges its tokens before.
    private decimal OfTier(UsageRecord record, string tier) => record.IsObject && options.Value.Prices.From == PriceSource.ResponseCost
        ? 0m
        : options.Value.Prices.Tiers.GetValueOrDefault(tier);

    private decimal? Find(string? model) => model is not null && _models.TryGetValue(model, out var price) ? price : null;

    private static Dictionary<string, decimal> ModelsOf(PriceOptions prices)
    {
        var models = new Dictionary<string, decimal>(prices.Models, StringComparer.Ordinal);
        foreach (var named in prices.NamedModels)
            models[named.Model] = named.Credits ?? 0m;
        return models;
    }
}
