using System.Diagnostics.Metrics;

namespace KeycloakCreditBridge.Provisioning.Accounts;

/// <summary>What provisioning does to accounts, and how soon.</summary>
internal sealed class ProvisioningMetrics
{
    private readonly Counter<long> _opened;
    private readonly Counter<long> _statusChanged;
    private readonly Counter<long> _switched;
    private readonly Counter<long> _welcomed;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _deadLettered;
    private readonly Histogram<double> _delay;

    public ProvisioningMetrics(Meter meter)
    {
        _opened = meter.CreateCounter<long>("bridge.accounts.opened", "{account}", "Accounts that were opened, by tier.");
        _statusChanged = meter.CreateCounter<long>(
            "bridge.accounts.status_changed", "{account}", "Accounts that were held, closed or made active again, by status.");
        _switched = meter.CreateCounter<long>(
            "bridge.accounts.switched", "{account}", "Accounts that followed Keycloak to another tier, by tier.");
        _welcomed = meter.CreateCounter<long>(
            "bridge.accounts.welcomed", "{account}", "Accounts whose opening grant was decided when their address was verified, by tier.");
        _refused = meter.CreateCounter<long>("bridge.accounts.refused", "{user}", "Users whose data the database refused.");
        _deadLettered = meter.CreateCounter<long>(
            "bridge.hints.dead_lettered", "{hint}", "Hints that were dead-lettered after the last attempt.");
        _delay = meter.CreateHistogram<double>("bridge.hints.delay", "s", "Time from a user's last hint to the commit that completed it.");
    }

    public void Converged(ConvergeResult result)
    {
        foreach (var change in result.Changes)
        {
            if (change.Opened)
                _opened.Add(1, new KeyValuePair<string, object?>("tier", change.Tier));
            else if (change.SwitchedFrom is not null)
                _switched.Add(1, new KeyValuePair<string, object?>("tier", change.Tier));
            else if (change.Welcomed)
                _welcomed.Add(1, new KeyValuePair<string, object?>("tier", change.Tier));
            else
                _statusChanged.Add(1, new KeyValuePair<string, object?>("status", change.Status));
        }

        _refused.Add(result.Refusals.Count);
    }

    public void HintCompleted(TimeSpan delay) => _delay.Record(delay.TotalSeconds);

    public void HintDeadLettered() => _deadLettered.Add(1);
}
