using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Provisioning.Policy;

/// <summary>Decides the desired state of a user's account. Pure: the same user, settings and time give the same state.</summary>
internal sealed class GrantPolicy(
    IOptions<ProvisioningOptions> options, IOptions<KeycloakOptions>? keycloak = null, IOptions<GrantsOptions>? grants = null)
{
    private readonly GrantRules? _grants = grants is null ? null : new GrantRules(grants);

    private readonly RealmRules _defaults = new(options.Value, null);

    private readonly Dictionary<string, RealmRules> _realms = options.Value.Realms.ToDictionary(
        realm => realm.Key, realm => new RealmRules(options.Value, realm.Value), StringComparer.Ordinal);

    /// <summary>The tiers of these settings.</summary>
    public TierCatalogue Tiers { get; } = new(options);

    /// <summary>The rules of a realm.</summary>
    public RealmRules RulesOf(string realm) => _realms.GetValueOrDefault(realm, _defaults);

    /// <summary>Whether an account id of some realm follows what users change in Keycloak.</summary>
    public bool Renames => _realms.Values.Append(_defaults).Any(rules => !rules.AccountId.IsFixed);

    /// <summary>Evaluates a user that Keycloak has.</summary>
    /// <param name="subject">The user as read from Keycloak.</param>
    /// <param name="readAt">When Keycloak was asked.</param>
    /// <param name="source">What led to the user, see <see cref="Hints.HintSources"/>.</param>
    /// <param name="hintVersion">The claimed hint that led to the user, if one did.</param>
    public DesiredState Evaluate(Subject subject, DateTimeOffset readAt, string source, long? hintVersion = null)
    {
        if (subject.IsServiceAccount)
            return new(
                subject.Realm, subject.KeycloakId, UserState.ServiceAccount, null, subject.CreatedAt, null, readAt, source, hintVersion)
            {
                Tiers = Tiers,
            };

        var rules = RulesOf(subject.Realm);
        var template = rules.AccountId;
        var accountId = template.Of(subject);
        var isShared = template.IsAddress && IsShared(subject.Realm);
        var reason = rules.ExclusionReasonOf(subject, accountId)
            ?? (isShared && !subject.EmailVerified ? ExclusionReasons.EmailNotVerified : null);
        var state = reason is not null ? UserState.Excluded : subject.Enabled ? UserState.Account : UserState.Held;
        // The address or name of an excluded user must not lead to an existing account.
        var named = reason is null || template.IsFixed ? accountId : null;
        var mapped = rules.TierMap.Of(subject);
        return new(
            subject.Realm, subject.KeycloakId, state, named, subject.CreatedAt, rules.Opening(readAt, mapped?.Tier), readAt, source,
            hintVersion)
        {
            Tiers = Tiers,
            Reason = reason,
            Enabled = subject.Enabled,
            Renames = !template.IsFixed,
            Inherits = reason is null && template.IsAddress && subject.EmailVerified,
            IsUnverified = template.IsAddress && !subject.EmailVerified,
            // An account without an owner, or a ledger without an account, goes to a user by what the user cannot choose. Adoption does
            // the rest.
            LeavesUnowned = !template.HasId && (isShared || !template.IsAddress || !subject.EmailVerified),
            Claim = rules.ClaimOf(subject, rules.OncePer),
            AwaitsVerification = rules.CountsAddresses && !subject.EmailVerified,
            BriefFingerprint = reason is not null && rules.NeedsMoreThanBrief ? rules.BriefFingerprintOf(subject) : null,
            FollowsTiers = rules.TierMap.IsFollowed,
            TierFromKeycloak = mapped,
            TierTerms = mapped is null ? null : rules.TermsOf(mapped.Tier),
            VerifiedAddress = subject.EmailVerified && !string.IsNullOrWhiteSpace(subject.Email) ? subject.Email : null,
            Grants = GrantUserOf(subject),
            Policies = _grants?.Of(subject.Realm),
            Done = DoneOf(subject),
        };
    }

    /// <summary>The policies of a realm; null without any.</summary>
    public RealmPolicies? PoliciesOf(string realm) => _grants?.Of(realm);

    /// <summary>The welcome of a realm; null without one.</summary>
    public WelcomeTerms? WelcomeOf(string realm) => PoliciesOf(realm)?.Welcome;

    /// <summary>What a listing of the user shows to be due, if it was not given before.</summary>
    public DoneByListing DoneOf(Subject subject) =>
        GrantUserOf(subject) is { } user ? DoneByListing.Of(user, PoliciesOf(subject.Realm)!) : DoneByListing.Nothing;

    /// <summary>Whether grants of the realm wait for what changes in Keycloak: then a complete run compares each user.</summary>
    public bool WithholdsGrants(string realm) =>
        (WelcomeOf(realm) is { } welcome
            && (welcome.Waits || welcome.Asked.Count > 0 || RulesOf(realm).CountsAddresses))
        || PoliciesOf(realm)?.IsReviewed == true
        || PoliciesOf(realm)?.Tasks.Any(task => task.IsShownByListing) == true;

    private GrantUser? GrantUserOf(Subject subject)
    {
        if (subject.IsServiceAccount || PoliciesOf(subject.Realm) is not { } policies)
            return null;
        var rules = RulesOf(subject.Realm);
        return new(subject.Realm, subject.KeycloakId, subject.CreatedAt)
        {
            Email = subject.Email,
            EmailVerified = subject.EmailVerified,
            WelcomeOncePer = rules.OncePer,
            EmailClaim = rules.ClaimOf(subject, policies.CountsBy(OncePer.Email, rules.OncePer)),
            InboxClaim = rules.ClaimOf(subject, policies.CountsBy(OncePer.Inbox, rules.OncePer)),
            HasMappedTier = rules.TierMap.Of(subject)?.Tier is not null,
            Groups = subject.Groups,
            RealmRoles = subject.RealmRoles,
            IdentityProviders = subject.IdentityProviders,
            Attributes = subject.Attributes,
            Credentials = subject.Credentials,
            Organizations = subject.Organizations,
            Registration = subject.Registration,
            IsReadInFull = subject.IsReadInFull,
            FirstName = subject.FirstName,
            LastName = subject.LastName,
        };
    }

    // Another realm whose users could have the same account id: there even a verified address is vouched for by that realm alone.
    private bool IsShared(string realm) => !RulesOf(realm).AccountId.HasRealm && keycloak?.Value.Realms.Exists(
        other => other.Name != realm && RulesOf(other.Name).AccountId is { HasId: false, HasRealm: false }) == true;

    /// <summary>Evaluates a user that Keycloak no longer has.</summary>
    public DesiredState EvaluateDeleted(string realm, string keycloakId, DateTimeOffset readAt, string source, long? hintVersion = null)
    {
        var rules = RulesOf(realm);
        return new(realm, keycloakId, UserState.Deleted, null, null, null, readAt, source, hintVersion)
        {
            Tiers = Tiers, Renames = !rules.AccountId.IsFixed, Forfeits = rules.Forfeits, FollowsTiers = rules.TierMap.IsFollowed,
        };
    }
}
