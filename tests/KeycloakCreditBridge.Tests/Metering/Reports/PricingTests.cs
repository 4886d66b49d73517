using KeycloakCreditBridge.Metering;
using KeycloakCreditBridge.Metering.Reports;
using KeycloakCreditBridge.Metering.Reports.Records;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Tests.Metering.Reports;

public sealed class PricingTests
{
    private static readonly MeteringOptions Options = new()
    {
        Prices = new PriceOptions
        {
            Markups = new() { ["professional"] = 1.2m },
            Models = new() { ["own-model"] = 0.5m },
        },
    };

    [Theory]
    [InlineData("trial", "gpt", 0.01, 1000, 0.01)]
    [InlineData("professional", "gpt", 0.01, 1000, 0.012)]
    [InlineData("trial", "own-model", 0.0, 1000, 0.5)]
    [InlineData("trial", "own-model", null, 2, 0.001)]
    [InlineData("starter", "unknown", 0.0, 1000, 0.002)]
    [InlineData("no-such-tier", "unknown", 0.0, 1000, 0.0)]
    [InlineData("trial", null, null, 0, 0.0)]
    [InlineData("trial", "gpt", 0.0000004, 1, 0.000001)]
    [InlineData("trial", "gpt", 0.0000000001, 1, 0.000001)]
    [InlineData("trial", "unknown", 0.0, 0, 0.0)]
    [InlineData("trial", "gpt", 0.0000014, 1, 0.000001)]
    [InlineData("trial", "gpt", 0.0000015, 1, 0.000002)]
    public void A_call_costs_what_the_gateway_says_or_else_what_its_tokens_do(
        string tier, string? model, double? cost, int tokens, double credits) =>
        Assert.Equal((decimal)credits, Price(Options, tier, Record(model, (decimal?)cost, tokens)));

    [Fact]
    public void By_tokens_the_gateway_s_cost_counts_for_nothing()
    {
        var options = new MeteringOptions { Prices = new PriceOptions { From = PriceSource.Tokens } };
        Assert.Equal(0.001m, Price(options, "trial", Record("gpt", 9m, 1000)));
    }

    [Fact]
    public void An_answer_from_the_cache_is_free_unless_configured_otherwise()
    {
        var hit = Record("gpt", 0.01m, 1000) with { CacheHit = true };
        Assert.Equal(0m, Price(Options, "trial", hit));
        Assert.Equal(0.01m, Price(new MeteringOptions { Prices = new PriceOptions { CacheHits = CacheHitPrice.Charged } }, "trial", hit));
    }

    [Fact]
    public void Settings_that_make_no_sense_are_named()
    {
        var failures = Validate( new MeteringOptions
        {
            ApiKeys = ["short"],
            BelowZero = (BelowZero)7,
            Gate = new GateOptions { Budget = TimeSpan.Zero },
            Prices = new PriceOptions { Markups = new() { ["trial"] = -1m } },
        });
        Assert.Collection(
            failures,
            failure => Assert.StartsWith("Metering:ApiKeys:0 is shorter than 16 characters", failure, StringComparison.Ordinal),
            failure => Assert.StartsWith("Metering:Gate:Budget is 00:00:00", failure, StringComparison.Ordinal),
            failure => Assert.Equal("Metering:BelowZero is 7: choose Allow or Clamp.", failure),
            failure => Assert.Equal("Metering:Prices:Markups:trial is -1: choose 0 to 1000000.", failure));
    }

    [Fact]
    public void A_tier_without_a_price_is_named_once_gateways_may_report()
    {
        Assert.Null(Validate(new MeteringOptions { Prices = new PriceOptions { Tiers = [] } }).FirstOrDefault());
        Assert.Contains(
            Validate(new MeteringOptions { ApiKeys = ["key-of-the-gateway-0123"], Prices = new PriceOptions { Tiers = [] } }),
            failure => failure.StartsWith("Metering:Prices:Tiers:trial is missing", StringComparison.Ordinal));
    }

    private static IEnumerable<string> Validate(MeteringOptions options) =>
        new MeteringOptionsValidator(Microsoft.Extensions.Options.Options.Create(new ProvisioningOptions()))
            .Validate(null, options).Failures ?? [];

    private static decimal Price(MeteringOptions options, string tier, UsageRecord record) =>
        new Pricing(Microsoft.Extensions.Options.Options.Create(options)).CreditsFor(record, tier);

    private static UsageRecord Record(string? model, decimal? cost, int tokens) =>
        new(new RecordIdentity("r", null), "u", cost, tokens, false, model, "openai", "{}", []);
}
