using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Provisioning.Accounts;

/// <summary>What provisioning does to accounts, and how soon.</summary>
internal sealed class ProvisioningMetrics : IInstruments
{
    private static readonly TimeSpan LongestDelay = TimeSpan.FromDays(1);

    private readonly string[] _realms;
    private readonly Hot<ProvisioningOptions> _provisioning;
    private readonly Counter<long> _opened;
    private readonly Counter<double> _credits;
    private readonly Counter<long> _statusChanged;
    private readonly Counter<long> _switched;
    private readonly Counter<long> _welcomed;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _deadLettered;
    private readonly Counter<long> _late;
    private readonly Histogram<double> _delay;
    private readonly Histogram<double> _registrationDelay;

    public ProvisioningMetrics(Meter meter, IOptions<KeycloakOptions> keycloak, Hot<ProvisioningOptions> provisioning)
    {
        _realms = [.. keycloak.Value.Realms.Select(realm => realm.Name)];
        _provisioning = provisioning;
        _opened = meter.CreateCounter<long>("bridge.accounts.opened", "{account}", "Accounts that were opened, by tier.");
        _credits = meter.CreateCounter<double>(
            "bridge.accounts.credits", "{credit}", "Credits with which accounts were opened or welcomed, by tier.");
        _statusChanged = meter.CreateCounter<long>(
            "bridge.accounts.status_changed", "{account}", "Accounts that were held, closed or made active again, by status.");
        _switched = meter.CreateCounter<long>(
            "bridge.accounts.switched", "{account}", "Accounts that followed Keycloak to another tier, by tier.");
        _welcomed = meter.CreateCounter<long>(
            "bridge.accounts.welcomed", "{account}", "Accounts whose opening grant was decided when their address was verified, by tier.");
        _refused = meter.CreateCounter<long>("bridge.accounts.refused", "{user}", "Users whose data the database refused.");
        _deadLettered = meter.CreateCounter<long>(
            "bridge.hints.dead_lettered", "{hint}", "Hints that were dead-lettered after the last attempt.");
        _delay = meter.CreateHistogram(
            "bridge.hints.delay", "s", "Time from a user's last hint to the commit that completed it.", tags: null, BridgeMeter.Moments);
        _registrationDelay = meter.CreateHistogram(
            "bridge.registrations.delay", "s", "Time from a user's creation in Keycloak to the commit of its account, up to a day.",
            tags: null, BridgeMeter.Moments);
        _late = meter.CreateCounter<long>(
            "bridge.registrations.late", "{account}", "Accounts opened later than a day after the user's creation in Keycloak.");
    }

    /// <param name="result">What converging did.</param>
    /// <param name="batch">The states that it converged to.</param>
    /// <param name="now">When it was committed.</param>
    public void Converged(ConvergeResult result, IEnumerable<DesiredState> batch, DateTimeOffset now)
    {
        foreach (var change in result.Changes)
        {
            if ((change.Opened || change.Welcomed) && change.Balance is > 0 and { } balance)
                _credits.Add((double)balance, new KeyValuePair<string, object?>("tier", change.Tier));
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
        var opened = result.Changes.Where(change => change.Opened).Select(change => change.AccountId).ToHashSet(StringComparer.Ordinal);
        if (opened.Count == 0)
            return;
        foreach (var state in batch)
        {
            if (state is { AccountId: { } account, CreatedAt: { } created } && opened.Contains(account))
                Registered(state.Realm, now - created);
        }
    }

    public void StartAtZero()
    {
        var settings = _provisioning.Current;
        string[] tiers = [.. settings.Tiers.Keys.Append(settings.Tier).Distinct()];
        foreach (var counter in new[] { _opened, _switched, _welcomed })
            counter.StartAtZero("tier", tiers);
        foreach (var tier in tiers)
            _credits.Add(0, new KeyValuePair<string, object?>("tier", tier));
        _late.StartAtZero("realm", _realms);
        _statusChanged.StartAtZero("status", ["active", "held", "closed"]);
        _refused.Add(0);
        _deadLettered.Add(0);
    }

    public IEnumerable<(Instrument Histogram, KeyValuePair<string, object?>[] Tags)> EmptyHistograms =>
        _realms.Select(realm => ((Instrument)_registrationDelay, new KeyValuePair<string, object?>[] { new("realm", realm) }));

    public void HintCompleted(TimeSpan delay) => _delay.Record(delay.TotalSeconds);

    public void HintDeadLettered() => _deadLettered.Add(1);

    // A user that was there long before says nothing about how soon new users get their accounts.
    private void Registered(string realm, TimeSpan delay)
    {
        KeyValuePair<string, object?> tag = new("realm", realm);
        if (delay > LongestDelay)
            _late.Add(1, tag);
        else
            _registrationDelay.Record(Math.Max(0, delay.TotalSeconds), tag);
    }
}
