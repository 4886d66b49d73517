using System.Diagnostics.Metrics;

namespace KeycloakCreditBridge.Provisioning;

/// <summary>What provisioning does to accounts, and how soon.</summary>
internal sealed class ProvisioningMetrics
{
    private readonly Counter<long> _opened;
    private readonly Counter<long> _turned;
    private readonly Counter<long> _switched;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _buried;
    private readonly Histogram<double> _delay;

    public ProvisioningMetrics(Meter meter)
    {
        _opened = meter.CreateCounter<long>("bridge.accounts.opened", "{account}", "Accounts that were opened, by tier.");
        _turned = meter.CreateCounter<long>("bridge.accounts.turned", "{account}", "Accounts that were held, closed or made active again, by status.");
        _switched = meter.CreateCounter<long>("bridge.accounts.switched", "{account}", "Accounts that followed Keycloak to another tier, by tier.");
        _refused = meter.CreateCounter<long>("bridge.accounts.refused", "{user}", "Users whose data the database refused.");
        _buried = meter.CreateCounter<long>("bridge.hints.buried", "{hint}", "Hints that were given up after the last try.");
        _delay = meter.CreateHistogram<double>("bridge.hints.delay", "s", "Time from a user's last hint to the commit that settled it.");
    }

    public void Converged(ConvergeResult result)
    {
        foreach (var change in result.Changes)
        {
            if (change.Opened)
                _opened.Add(1, new KeyValuePair<string, object?>("tier", change.Tier));
            else if (change.SwitchedFrom is not null)
                _switched.Add(1, new KeyValuePair<string, object?>("tier", change.Tier));
            else
                _turned.Add(1, new KeyValuePair<string, object?>("status", change.Status));
        }

        _refused.Add(result.Refusals.Count);
    }

    public void Settled(TimeSpan delay) => _delay.Record(delay.TotalSeconds);

    public void Buried() => _buried.Add(1);
}
