using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Grants.Awards;

/// <summary>Counts what policies give.</summary>
internal sealed class PolicyMetrics : IInstruments
{
    private readonly string[] _policies;
    private readonly string[] _rules;
    private readonly Counter<long> _given;
    private readonly Counter<double> _credits;
    private readonly Counter<long> _exhausted;
    private readonly Counter<long> _dropped;

    public PolicyMetrics(Meter meter, IOptions<GrantsOptions> options)
    {
        var realms = options.Value.Realms.Values;
        _policies = [
            .. realms.Select(realm => realm.Welcome).Append(options.Value.Welcome).Any(welcome => welcome is not null)
                ? new[] { WelcomeTerms.Policy } : [],
            .. realms.SelectMany(realm => realm.Tasks ?? []).Concat(options.Value.Tasks).Select(task => $"task:{task.Key}").Distinct(),
        ];
        _rules = [
            .. realms.Select(realm => realm.Welcome).Append(options.Value.Welcome).OfType<WelcomeOptions>()
                .SelectMany(welcome => new WelcomeTerms(welcome).Rules).Where(rule => rule.Budget is not null)
                .Select(rule => rule.Name).Distinct()];
        _given = meter.CreateCounter<long>("bridge.grants.given", "{grant}", "Grants that policies gave, by policy.");
        _credits = meter.CreateCounter<double>("bridge.grants.given_credits", "{credit}", "Credits that policies gave, by policy.");
        _exhausted = meter.CreateCounter<long>(
            "bridge.grants.budget_exhausted", "{grant}", "Grants for which the budget of a rule was used up, by rule.");
        _dropped = meter.CreateCounter<long>(
            "bridge.grants.attribution_dropped", "{value}", "Values of registrations' addresses that are too long to be kept.");
    }

    public void Given(IReadOnlyCollection<AwardedGrant> grants)
    {
        foreach (var grant in grants)
        {
            KeyValuePair<string, object?> policy = new("policy", grant.Policy);
            _given.Add(1, policy);
            _credits.Add((double)grant.Credits, policy);
            foreach (var rule in grant.Exhausted?.Split(',') ?? [])
                _exhausted.Add(1, new KeyValuePair<string, object?>("rule", rule));
        }
    }

    public void AttributionsDropped(int values) => _dropped.Add(values);

    public void StartAtZero()
    {
        _dropped.Add(0);
        _given.StartAtZero("policy", _policies);
        foreach (var policy in _policies)
            _credits.Add(0, new KeyValuePair<string, object?>("policy", policy));
        _exhausted.StartAtZero("rule", _rules);
    }
}
