using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Page;

/// <summary>Counts sign-ins of operators and what they change.</summary>
internal sealed class PageMetrics : IInstruments
{
    private readonly Counter<long> _signIns;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _changes;

    public PageMetrics(Meter meter)
    {
        _signIns = meter.CreateCounter<long>("bridge.page.sign_ins", "{session}", "Sessions of operators that began.");
        _refused = meter.CreateCounter<long>("bridge.page.refused", "{request}", "Requests that the page refused, by reason.");
        _changes = meter.CreateCounter<long>("bridge.page.changes", "{change}", "Changes that operators made on the page.");
    }

    public void SignedIn() => _signIns.Add(1);

    /// <param name="reason">`sign_in`, `role`, `forged` or `rate`.</param>
    public void Refused(string reason) => _refused.Add(1, new KeyValuePair<string, object?>("reason", reason));

    public void Changed() => _changes.Add(1);

    public void StartAtZero()
    {
        _signIns.Add(0);
        _changes.Add(0);
        _refused.StartAtZero("reason", ["sign_in", "role", "forged", "rate"]);
    }
}
