using KeycloakCreditBridge.Grants.Policy.Rules;
using KeycloakCreditBridge.Grants.Policy.Settings;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Grants.Review;

/// <summary>Review as it is configured for a realm.</summary>
internal sealed class FraudTerms(RealmFraudOptions options)
{
    private const int Most = 100;

    private readonly Dictionary<string, int> _scores = SignalNames.All.ToDictionary(
        signal => signal, signal => options.Signals.TryGetValue(signal, out var own) ? own.Score : SignalNames.Scores[signal],
        StringComparer.Ordinal);

    private readonly DomainSet _domains = new(options.Exempt.EmailDomains);

    public bool IsEnabled { get; } = options.Enabled;

    /// <summary>The score from which a grant is held.</summary>
    public int Hold { get; } = options.Hold;

    /// <summary>The score from which a grant is refused; null for never.</summary>
    public int? Refuse { get; } = options.Refuse;

    /// <summary>What an account has while its welcome is held.</summary>
    public decimal WhileHeld { get; } = options.WhileHeld;

    public TimeSpan LapseAfter { get; } = options.LapseAfter;

    public LapseVerdict Lapse { get; } = options.Lapse;

    /// <summary>Whether groups of users have to be read.</summary>
    public bool NeedsGroups { get; } = options.Exempt.Groups.Count > 0;

    /// <summary>Whether identity providers of users have to be read.</summary>
    public bool NeedsIdentityProviders { get; } = options.Exempt.IdentityProviders.Count > 0;

    /// <summary>What a signal counts.</summary>
    public int ScoreOf(string signal) => _scores[signal];

    /// <summary>What the signals say of a user. Pure.</summary>
    /// <param name="user">The user.</param>
    /// <param name="seen">What the bridge knows of the user.</param>
    public Assessment Assess(Candidate user, SeenSignals seen)
    {
        SignalHit[] hits = [
            .. seen.Spoke.Select(signal => new SignalHit(signal, _scores[signal])),
            .. seen.Missing.Select(missing => new SignalHit(missing.Signal, 0, missing.Why)),
        ];
        return ExemptionOf(user, seen) is { } exempt
            ? new Assessment(0, hits, exempt)
            : new Assessment(Math.Min(Most, hits.Sum(hit => hit.Score)), hits, null);
    }

    // Not verified, an address is what any user can type.
    private string? ExemptionOf(Candidate user, SeenSignals seen) =>
        seen.HasPaid ? Exemptions.Paid
        : seen.ByAdministrator ? Exemptions.Administrator
        : seen.IsAllowed ? Exemptions.Allowed
        : user.Invited ? Exemptions.Invited
        : user.IdentityProviders.Intersect(options.Exempt.IdentityProviders, StringComparer.Ordinal).Any() ? Exemptions.IdentityProvider
        : user.Groups.Any(path => options.Exempt.Groups.Exists(group => IsIn(path, group))) ? Exemptions.Group
        : user is { EmailVerified: true, Email.Length: > 0 } && _domains.Has(user.Email) ? Exemptions.EmailDomain
        : null;

    private static bool IsIn(string path, string group) => group.EndsWith("/*", StringComparison.Ordinal)
        ? path.StartsWith(group[..^1], StringComparison.Ordinal)
        : path == group;
}

/// <summary>What the bridge knows of a user beside what Keycloak says.</summary>
/// <param name="Spoke">Signals that speak against the user.</param>
/// <param name="Missing">Signals that could not speak, and why.</param>
internal sealed record SeenSignals(IReadOnlyList<string> Spoke, IReadOnlyList<(string Signal, string Why)> Missing)
{
    public bool HasPaid { get; init; }

    public bool ByAdministrator { get; init; }

    public bool IsAllowed { get; init; }
}

/// <summary>The review of each realm.</summary>
internal sealed class FraudRules(IOptions<GrantsOptions> options)
{
    private readonly FraudTerms _common = new(options.Value.Fraud);

    private readonly Dictionary<string, FraudTerms> _realms = options.Value.Realms
        .Where(realm => realm.Value.Fraud is not null)
        .ToDictionary(realm => realm.Key, realm => new FraudTerms(realm.Value.Fraud!), StringComparer.Ordinal);

    /// <summary>Whether grants of some realm are reviewed.</summary>
    public bool IsEnabled => _common.IsEnabled || _realms.Values.Any(realm => realm.IsEnabled);

    /// <summary>The terms of a realm; null where its grants are not reviewed.</summary>
    public FraudTerms? Of(string realm) => _realms.GetValueOrDefault(realm, _common) is { IsEnabled: true } terms ? terms : null;
}
