using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Grants.Codes.Redemptions;

/// <summary>Counts attempts to redeem codes.</summary>
internal sealed class CodeMetrics : IInstruments
{
    private static readonly Dictionary<RedeemOutcome, string> Outcomes = new()
    {
        [RedeemOutcome.Paid] = "paid",
        [RedeemOutcome.PaidBefore] = "paid_before",
        [RedeemOutcome.Held] = "held",
        [RedeemOutcome.Refused] = "refused",
        [RedeemOutcome.UserLimited] = "user_limited",
        [RedeemOutcome.NetworkLimited] = "network_limited",
        [RedeemOutcome.RealmLimited] = "realm_limited",
    };

    private readonly Counter<long> _attempts;

    public CodeMetrics(Meter meter)
    {
        _attempts = meter.CreateCounter<long>("bridge.codes.attempts", "{attempt}", "Attempts to redeem codes, by outcome.");
    }

    public void Tried(RedeemOutcome outcome) => _attempts.Add(1, new KeyValuePair<string, object?>("outcome", Outcomes[outcome]));

    public void StartAtZero() => _attempts.StartAtZero("outcome", [.. Outcomes.Values]);
}
