using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Grants.Referrals;

/// <summary>Counts how referrals go, and what waits.</summary>
internal sealed class ReferralMetrics : IInstruments
{
    private readonly Hot<ReferralRules> _rules;
    private readonly Counter<long> _moves;
    private readonly Counter<long> _refused;
    private readonly Counter<double> _credits;
    private volatile ReferralBacklog? _backlog;

    public ReferralMetrics(Meter meter, Hot<ReferralRules> rules)
    {
        _rules = rules;
        _moves = meter.CreateCounter<long>("bridge.referrals.moved", "{referral}", "Referrals that came to a state, by state.");
        _refused = meter.CreateCounter<long>("bridge.referrals.refused", "{referral}", "Codes that did not count, by reason.");
        _credits = meter.CreateCounter<double>("bridge.referrals.paid_credits", "{credit}", "Credits that referrals paid, by side.");
        meter.CreateObservableGauge(
            "bridge.referrals.oldest_due", () => Measure(backlog => backlog.OldestDueSeconds), "s",
            "How long ago the oldest time was at which a referral was to be evaluated and was not.");
        meter.CreateObservableGauge(
            "bridge.referrals.held", () => Measure(backlog => backlog.Held), "{referral}", "Referrals on hold.");
    }

    public void Moved(ReferralState state, string? reason = null)
    {
        _moves.Add(1, new KeyValuePair<string, object?>("state", ReferralMoves.Name(state)));
        if (state == ReferralState.Refused)
            _refused.Add(1, new KeyValuePair<string, object?>("reason", reason));
    }

    public void Paid(decimal toReferrer, decimal toReferee)
    {
        _credits.Add((double)toReferrer, new KeyValuePair<string, object?>("side", "referrer"));
        _credits.Add((double)toReferee, new KeyValuePair<string, object?>("side", "referee"));
    }

    /// <param name="backlog">What waits; null where it is unknown, or there are no referrals.</param>
    public void SetBacklog(ReferralBacklog? backlog) => _backlog = backlog;

    public void StartAtZero()
    {
        if (_rules.Current.IsEmpty)
            return;
        _moves.StartAtZero("state", Enum.GetValues<ReferralState>().Select(ReferralMoves.Name));
        _refused.StartAtZero("reason", ReferralReasons.OfRefusals);
        Paid(0m, 0m);
    }

    private IEnumerable<Measurement<double>> Measure(Func<ReferralBacklog, double> select) =>
        _backlog is { } backlog ? [new Measurement<double>(select(backlog))] : [];
}

/// <param name="OldestDueSeconds">0 where nothing is due.</param>
/// <param name="Held">Referrals on hold.</param>
internal sealed record ReferralBacklog(double OldestDueSeconds, long Held);
