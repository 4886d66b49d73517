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
    private readonly Counter<long> _evidence;

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
        _evidence = meter.CreateCounter<long>(
            "bridge.grants.evidence_reads", "{request}",
            "Requests to Keycloak that undecided grants of users cost beside the user's own, by kind.");
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

    public void EvidenceRead(string kind) => _evidence.Add(1, new KeyValuePair<string, object?>("kind", kind));

    public void AttributionsDropped(int values) => _dropped.Add(values);

    public void StartAtZero()
    {
        _dropped.Add(0);
        _evidence.StartAtZero("kind", EvidenceKinds.All);
        _given.StartAtZero("policy", _policies);
        foreach (var policy in _policies)
            _credits.Add(0, new KeyValuePair<string, object?>("policy", policy));
        _exhausted.StartAtZero("rule", _rules);
    }
}

/// <summary>What undecided grants make the bridge read of a user.</summary>
internal static class EvidenceKinds
{
    public const string IdentityProviders = "identity_providers";
    public const string Groups = "groups";
    public const string RealmRoles = "realm_roles";
    public const string Credentials = "credentials";
    public const string Organizations = "organizations";
    public const string Registration = "registration";

    public static readonly string[] All = [IdentityProviders, Groups, RealmRoles, Credentials, Organizations, Registration];
}
