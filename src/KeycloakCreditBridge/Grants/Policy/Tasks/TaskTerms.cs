using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Policy.Settings;

namespace KeycloakCreditBridge.Grants.Policy.Tasks;

/// <summary>A task as it is configured.</summary>
internal sealed class TaskTerms(string name, TaskOptions options)
{
    public const string KeyPrefix = "task:";

    public string Name => name;

    /// <summary>The grant's key, and the policy's name.</summary>
    public string Key { get; } = KeyPrefix + name;

    /// <summary>Stands for the configuration on the grants that it gave.</summary>
    public string Version { get; } =
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(options)))[..6]);

    public decimal Credits { get; } = options.Credits ?? 0m;

    /// <summary>An address can count once only where it is verified.</summary>
    public IReadOnlyList<string> Requires { get; } =
        options.Once == OncePer.User ? [.. options.Requires] : [.. options.Requires.Union([Requirements.EmailVerified])];

    public TimeSpan? Within { get; } = options.Within;

    public TimeSpan? ExpiresAfter { get; } = options.ExpiresAfter;

    /// <summary>For what it is paid once.</summary>
    public OncePer Once { get; } = options.Once;

    public TimeSpan Settle { get; } = options.Settle;

    public IReadOnlyList<string> Clients { get; } = [.. options.Clients];

    public bool IsReported => options.Evidence.Reported;

    public bool IsFirstUsage => options.Evidence.FirstUsage;

    /// <summary>Whether Keycloak has its evidence.</summary>
    public bool IsShownByKeycloak => !IsReported && !IsFirstUsage;

    /// <summary>Whether a listing of users shows its evidence.</summary>
    public bool IsShownByListing => options.Evidence.EmailVerified;

    public bool NeedsAttributes => options.Evidence.Profile.Count > 0;

    public bool NeedsCredentials => options.Evidence.Credential.Count > 0;

    public bool NeedsIdentityProviders => options.Evidence.IdentityProvider.Count > 0;

    public bool NeedsGroups => options.Evidence.Group.Length > 0;

    public bool NeedsRoles => options.Evidence.Role.Length > 0;

    /// <summary>Names what an offer lacks.</summary>
    public string Evidence { get; } = options.Evidence switch
    {
        { EmailVerified: true } => Requirements.EmailVerified,
        { Profile.Count: > 0 } => "profile",
        { Credential.Count: > 0 } => "credential",
        { IdentityProvider.Count: > 0 } => "identity_provider",
        { Group.Length: > 0 } => "group",
        { Role.Length: > 0 } => "role",
        { FirstUsage: true } => "first_usage",
        _ => "reported",
    };

    /// <summary>Whether the evidence is there; null where the user was not read as fully as that needs.</summary>
    public bool? IsDone(GrantUser user, AccountFacts facts) => options.Evidence switch
    {
        { EmailVerified: true } => user.HasVerifiedAddress,
        { Profile: { Count: > 0 } names } => user.Attributes is not { } attributes
            ? null
            : names.TrueForAll(attribute => ValuesOf(user, attributes, attribute).Any(value => value.Any(char.IsLetterOrDigit))),
        { Credential: { Count: > 0 } kinds } => user.Credentials?.Any(kinds.Contains),
        { IdentityProvider: { Count: > 0 } aliases } => user.IdentityProviders?.Any(aliases.Contains),
        { Group: { Length: > 0 } group } => user.Groups?.Contains(group, StringComparer.Ordinal),
        { Role: { Length: > 0 } role } => user.RealmRoles?.Contains(role, StringComparer.Ordinal),
        { FirstUsage: true } => facts.FirstUsageAt is not null,
        _ => facts.Reported.ContainsKey(name),
    };

    private static IEnumerable<string> ValuesOf(
        GrantUser user, IReadOnlyDictionary<string, IReadOnlyList<string>> attributes, string attribute) => attribute switch
    {
        "firstName" => user.FirstName is { } first ? [first] : [],
        "lastName" => user.LastName is { } last ? [last] : [],
        _ => attributes.GetValueOrDefault(attribute) ?? [],
    };
}
