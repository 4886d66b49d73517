using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Experiments;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Policy.Rules;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Policy.Tasks;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Grants.Policy;

/// <summary>The policies of each realm.</summary>
internal sealed class GrantRules(IOptions<GrantsOptions> options)
{
    private readonly RealmPolicies _common = new(
        options.Value.Welcome, options.Value.Tasks, new(options.Value.InviteKey), options.Value.Opening.ExpiresAfter,
        ExperimentTerms.Of(options.Value.Experiments, new(options.Value.InviteKey)), options.Value.Fraud);

    private readonly Dictionary<string, RealmPolicies> _realms = options.Value.Realms.ToDictionary(
        realm => realm.Key,
        realm => new RealmPolicies(realm.Value.Welcome ?? options.Value.Welcome, realm.Value.Tasks ?? options.Value.Tasks,
            new(options.Value.InviteKey), options.Value.Opening.ExpiresAfter,
            ExperimentTerms.Of(realm.Value.Experiments ?? options.Value.Experiments, new(options.Value.InviteKey)),
            realm.Value.Fraud ?? options.Value.Fraud),
        StringComparer.Ordinal);

    /// <summary>The policies of a realm; null where none is configured.</summary>
    public RealmPolicies? Of(string realm) => _realms.GetValueOrDefault(realm, _common) is { IsEmpty: false } policies ? policies : null;
}

/// <summary>What a realm's users can be given.</summary>
internal sealed class RealmPolicies(
    WelcomeOptions? welcome, IReadOnlyDictionary<string, TaskOptions> tasks, InviteLinks? invites = null, TimeSpan? opening = null,
    IReadOnlyList<ExperimentTerms>? experiments = null, RealmFraudOptions? fraud = null)
{
    /// <summary>
    /// Null where the opening grant is as `Provisioning` says. Where grants are reviewed it is a welcome, of which a part can be withheld.
    /// </summary>
    public WelcomeTerms? Welcome { get; } = (welcome ?? (fraud?.Enabled == true ? new WelcomeOptions() : null)) is { } set
        ? new WelcomeTerms(
            set, invites, opening, [.. (experiments ?? []).Select(experiment => experiment.When).OfType<WelcomeRule>()])
        : null;

    /// <summary>What compares welcome credits, by its begin.</summary>
    public IReadOnlyList<ExperimentTerms> Experiments { get; } = experiments ?? [];

    /// <summary>Whether grants are reviewed before they are paid.</summary>
    public bool IsReviewed { get; } = fraud?.Enabled == true;

    /// <summary>Whether the user came by an invitation of our own that was good when it was used.</summary>
    public bool IsInvited(Attribution? attribution) =>
        invites?.CampaignOf(attribution?.Ref, attribution?.At ?? DateTimeOffset.MaxValue) is not null;

    public IReadOnlyList<TaskTerms> Tasks { get; } = [.. tasks.Select(task => new TaskTerms(task.Key, task.Value))];

    public bool IsEmpty => Welcome is null && Tasks.Count == 0;

    /// <summary>Whether a grant waits for a verified address.</summary>
    public bool RequiresVerifiedAddress => Welcome?.Requires.Contains(Requirements.EmailVerified, StringComparer.Ordinal) == true
        || Tasks.Any(task => task.IsShownByListing || task.Requires.Contains(Requirements.EmailVerified, StringComparer.Ordinal));

    /// <summary>Names of all policies.</summary>
    public IEnumerable<string> Names => [.. Welcome is null ? [] : new[] { WelcomeTerms.Policy }, .. Tasks.Select(task => task.Key)];

    /// <summary>Whether a rule pays users that it matches later.</summary>
    public bool HasTopUps => Welcome?.Rules.Any(rule => rule.TopUpKey is not null) == true;

    /// <summary>The kind itself where a grant is given once by it, else <see cref="OncePer.User"/>.</summary>
    /// <param name="kind">An address or its inbox.</param>
    /// <param name="welcome">By what the welcome is.</param>
    public OncePer CountsBy(OncePer kind, OncePer welcome) =>
        welcome == kind || Tasks.Any(task => task.Once == kind) ? kind : OncePer.User;

    private bool TopsUp(AccountFacts facts) => facts.Welcomed is { } welcomed && Welcome!.Rules.Any(rule =>
        rule.TopUpKey is { } key && rule.Tier != facts.Tier && rule.Credits > welcomed && !facts.Given.Contains(key)
        && !facts.Stopped.Contains(key));

    /// <summary>What has to be read of a user to decide what the bridge does not know to be decided.</summary>
    /// <param name="facts">The facts of the account; null where there is none.</param>
    public NeededEvidence NeededFor(AccountFacts? facts)
    {
        var rules = Welcome?.Asked ?? [];
        if (facts is { Withheld: null } || facts?.Stopped.Contains(WelcomeTerms.Policy) == true)
            rules = TopsUp(facts) ? rules : [];
        var open = Tasks.Where(task => facts is null || TaskPlan.IsOpen(task, facts)).ToList();
        return new(
            rules.Any(rule => rule.NeedsIdentityProviders) || open.Exists(task => task.NeedsIdentityProviders)
                || fraud is { Enabled: true, Exempt.IdentityProviders.Count: > 0 },
            rules.Any(rule => rule.NeedsGroups) || open.Exists(task => task.NeedsGroups)
                || fraud is { Enabled: true, Exempt.Groups.Count: > 0 },
            rules.Any(rule => rule.NeedsRoles) || open.Exists(task => task.NeedsRoles),
            open.Exists(task => task.NeedsCredentials),
            rules.Any(rule => rule.NeedsAttributes) || open.Exists(task => task.NeedsAttributes))
        {
            Organizations = rules.Any(rule => rule.NeedsOrganizations),
            Registration = rules.Any(rule => rule.NeedsRegistration),
        };
    }
}

/// <summary>What has to be read of a user beside what a listing shows.</summary>
internal sealed record NeededEvidence(bool IdentityProviders, bool Groups, bool RealmRoles, bool Credentials, bool Attributes)
{
    public static readonly NeededEvidence Nothing = new(false, false, false, false, false);

    public bool Organizations { get; init; }

    /// <summary>How the user registered.</summary>
    public bool Registration { get; init; }

    public bool IsAny => this != Nothing;
}
