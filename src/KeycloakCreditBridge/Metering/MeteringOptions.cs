namespace KeycloakCreditBridge.Metering;

/// <summary>How LLM gateways ask for people's credits and report what they used.</summary>
internal sealed class MeteringOptions
{
    public const string Section = "Metering";

    /// <summary>Keys that gateways prove themselves with: none, which turns gate and meter off, one, or two while one replaces the other.</summary>
    public List<string> ApiKeys { get; set; } = [];

    /// <summary>How the gate decides.</summary>
    public GateOptions Gate { get; set; } = new();

    /// <summary>What calls cost.</summary>
    public PriceOptions Prices { get; set; } = new();

    /// <summary>What usage that already happened does to a balance that it exceeds.</summary>
    public BelowZero BelowZero { get; set; }

    /// <summary>How long it is remembered that a record was charged: within it, one that is sent again costs nothing.</summary>
    public TimeSpan RecordRetention { get; set; } = TimeSpan.FromDays(400);

    /// <summary>How long records that could not be charged are kept for a person to look at.</summary>
    public TimeSpan RefusalRetention { get; set; } = TimeSpan.FromDays(90);

    /// <summary>Longest report in bytes, 1,024 to 67,108,864.</summary>
    public int MaxBodyBytes { get; set; } = 16 * 1024 * 1024;
}

internal sealed class GateOptions
{
    /// <summary>How long the gate may take, the database and Keycloak together; then it is <see cref="Undecided"/>.</summary>
    public TimeSpan Budget { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>A call that names no user.</summary>
    public GateDecision WithoutUser { get; set; } = GateDecision.Refuse;

    /// <summary>A user whom Keycloak does not know either, or who gets no account by rule.</summary>
    public GateDecision UnknownUser { get; set; } = GateDecision.Refuse;

    /// <summary>A user of whom nobody could say anything in time, or at all.</summary>
    public GateDecision Undecided { get; set; } = GateDecision.Allow;
}

internal sealed class PriceOptions
{
    /// <summary>Where a call's price comes from.</summary>
    public PriceSource From { get; set; }

    /// <summary>Credits for a dollar of the gateway's cost, by tier; 1 where a tier is not named.</summary>
    public Dictionary<string, decimal> Markups { get; set; } = new(StringComparer.Ordinal);

    /// <summary>Credits for 1,000 tokens, by model or else by model group.</summary>
    public Dictionary<string, decimal> Models { get; set; } = new(StringComparer.Ordinal);

    /// <summary>The same for names with a colon, which no key can hold.</summary>
    public List<ModelPrice> NamedModels { get; set; } = [];

    /// <summary>Credits for 1,000 tokens of a model without a price, by tier.</summary>
    public Dictionary<string, decimal> Tiers { get; set; } = new(StringComparer.Ordinal)
    {
        ["free"] = 0.001m,
        ["trial"] = 0.001m,
        ["starter"] = 0.002m,
        ["professional"] = 0.005m,
        ["enterprise"] = 0.010m,
    };

    /// <summary>What an answer from the gateway's cache costs.</summary>
    public CacheHitPrice CacheHits { get; set; }
}

internal sealed class ModelPrice
{
    public string Model { get; set; } = "";

    /// <summary>For 1,000 tokens.</summary>
    public decimal? Credits { get; set; }
}

internal enum GateDecision
{
    Allow,
    Refuse,
}

internal enum PriceSource
{
    /// <summary>The gateway's `response_cost`, times the tier's markup; by tokens where it is zero.</summary>
    ResponseCost,

    /// <summary>Tokens only.</summary>
    Tokens,
}

internal enum CacheHitPrice
{
    Free,
    Charged,
}

internal enum BelowZero
{
    /// <summary>Charged in full: the balance is a debt then.</summary>
    Allow,

    /// <summary>Charged down to zero.</summary>
    Clamp,
}
