using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Grants;

/// <summary>Counts credits that ended.</summary>
internal sealed class GrantsMetrics : IInstruments
{
    private readonly Counter<long> _lots;
    private readonly Counter<double> _credits;
    private readonly Counter<long> _swept;

    public GrantsMetrics(Meter meter)
    {
        _lots = meter.CreateCounter<long>("bridge.grants.expired", "{grant}", "Grants that ended with something left.");
        _credits = meter.CreateCounter<double>("bridge.grants.expired_credits", "{credit}", "Credits that ended unspent.");
        _swept = meter.CreateCounter<long>("bridge.grants.swept", "{account}", "Accounts that the sweep took ended credits from.");
    }

    public void Expired(int lots, decimal credits)
    {
        _lots.Add(lots);
        _credits.Add((double)credits);
    }

    public void Swept(int accounts) => _swept.Add(accounts);

    public void StartAtZero()
    {
        _lots.Add(0);
        _credits.Add(0);
        _swept.Add(0);
    }
}
