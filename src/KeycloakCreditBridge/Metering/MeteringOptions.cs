using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Metering;

/// <summary>How LLM gateways check and report the usage of credits.</summary>
internal sealed class MeteringOptions
{
    public const string Section = "Metering";

    /// <summary>Keys that authenticate gateways: none, which turns gate and meter off, one, or two during a rotation.</summary>
    public List<string> ApiKeys { get; set; } = [];

    /// <summary>How the gate decides.</summary>
    [Hot]
    public GateOptions Gate { get; set; } = new();

    /// <summary>What calls cost.</summary>
    [Hot]
    public PriceOptions Prices { get; set; } = new();

    /// <summary>What happens to a balance that is smaller than the usage.</summary>
    [Hot]
    public BelowZero BelowZero { get; set; }

    /// <summary>What happens to the cost of a failed or interrupted call.</summary>
    [Hot]
    public FailedCallPolicy FailedCalls { get; set; }

    /// <summary>How long charged records are remembered. Within it a record delivered again costs nothing.</summary>
    public TimeSpan RecordRetention { get; set; } = TimeSpan.FromDays(400);

    /// <summary>How long records that could not be charged are kept.</summary>
    public TimeSpan RefusalRetention { get; set; } = TimeSpan.FromDays(90);

    /// <summary>Longest report in bytes, 1,024 to 67,108,864.</summary>
    public int MaxBodyBytes { get; set; } = 16 * 1024 * 1024;
}

internal sealed class GateOptions
{
    /// <summary>Time limit of a decision, for the database and Keycloak together; then <see cref="Undecided"/> applies.</summary>
    public TimeSpan Budget { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>For a call that names no user.</summary>
    public GateDecision WithoutUser { get; set; } = GateDecision.Refuse;

    /// <summary>For a user that Keycloak does not have, or that gets no account by rule.</summary>
    public GateDecision UnknownUser { get; set; } = GateDecision.Refuse;

    /// <summary>For a user whose account could not be read within the time limit.</summary>
    public GateDecision Undecided { get; set; } = GateDecision.Allow;
}

internal sealed class PriceOptions
{
    /// <summary>The source of a call's price.</summary>
    public PriceSource From { get; set; }

    /// <summary>Credits for a dollar of the gateway's cost, by tier; 1 where a tier is not named.</summary>
    public Dictionary<string, decimal> Markups { get; set; } = new(StringComparer.Ordinal);

    /// <summary>Credits for 1,000 tokens, by model or else by model group.</summary>
    public Dictionary<string, decimal> Models { get; set; } = new(StringComparer.Ordinal);

    /// <summary>The same for names with a colon, which a configuration key cannot hold.</summary>
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

    /// <summary>The price of an answer from the gateway's cache.</summary>
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

internal enum FailedCallPolicy
{
    /// <summary>Charged where the gateway reports a cost.</summary>
    Charge,

    /// <summary>Not charged, but counted.</summary>
    Ignore,
}

internal enum BelowZero
{
    /// <summary>Charged in full: the balance is a debt then.</summary>
    Allow,

    /// <summary>Charged down to zero.</summary>
    Clamp,
}
