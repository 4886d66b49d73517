using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Provisioning.Policy;

/// <summary>The rules of one realm.</summary>
internal sealed class RealmRules
{
    private readonly Dictionary<string, TierOptions> _tiers;
    private readonly string _tier;
    private readonly decimal _amount;
    private readonly TimeSpan _period;
    private readonly EligibilityOptions _eligibility;
    private readonly (string Name, string? Value)? _attribute;
    private readonly bool _excludesDisabled;
    private readonly ClaimKeys _keys;
    private readonly string _digest;

    /// <param name="options">The defaults.</param>
    /// <param name="realm">What is different in this realm; null when nothing is.</param>
    public RealmRules(ProvisioningOptions options, RealmRuleOptions? realm)
    {
        _tier = realm?.Tier ?? options.Tier;
        _tiers = options.Tiers;
        _amount = realm?.Amount ?? (realm?.Tier is null ? options.Amount : null) ?? _tiers[_tier].Credits;
        _period = options.Period;
        TierMap = new TierMap(realm?.TierFrom ?? options.TierFrom, _tiers);
        AccountId = new AccountIdTemplate(realm?.AccountId ?? options.AccountId);
        Forfeits = (realm?.DeletedUsers ?? options.DeletedUsers) == DeletedUsers.Forfeit;
        _excludesDisabled = (realm?.DisabledUsers ?? options.DisabledUsers) == DisabledUsers.Exclude;
        _eligibility = realm?.Eligibility ?? options.Eligibility;
        _attribute = _eligibility.Attribute.Split('=', 2) switch
        {
            [""] => null,
            [var name] => (name, null),
            [var name, var value] => (name, value),
            _ => null,
        };
        _digest = string.Join(
            '\n',
            [realm?.AccountId ?? options.AccountId, $"{_excludesDisabled}", $"{_eligibility.EmailVerified}", _eligibility.Attribute,
                .. _eligibility.EmailDomains, "", .. _eligibility.IdentityProviders]);
        OncePer = realm?.SignupGrant?.OncePer ?? options.SignupGrant.OncePer;
        _keys = options.SignupGrant.ToKeys();
    }

    public AccountIdTemplate AccountId { get; }

    /// <summary>Whether only users with a verified address get an account.</summary>
    public bool RequiresVerifiedAddress => _eligibility.EmailVerified;

    /// <summary>How a user's tier follows from Keycloak.</summary>
    public TierMap TierMap { get; }

    /// <summary>Whether closing an account forfeits its balance.</summary>
    public bool Forfeits { get; }

    /// <summary>For what the opening grant is given once.</summary>
    public OncePer OncePer { get; }

    /// <summary>Whether that is an address or its inbox.</summary>
    public bool CountsAddresses => OncePer != OncePer.User;

    /// <summary>Whether identity providers have to be asked for.</summary>
    public bool NeedsIdentities => _eligibility.IdentityProviders.Count > 0;

    /// <summary>Whether a listing's brief representation is too little to evaluate a user.</summary>
    public bool NeedsMoreThanBrief => NeedsIdentities || _attribute is not null || AccountId.NeedsAttributes || TierMap.IsFollowed;

    /// <summary>Whether the id alone is enough to evaluate an enabled user.</summary>
    public bool NeedsIdAlone =>
        AccountId.IsFixed && !CountsAddresses && !NeedsMoreThanBrief && !_eligibility.EmailVerified
            && _eligibility.EmailDomains.Count == 0;

    /// <summary>What a new account is opened with. The realm's amount belongs to the realm's own tier.</summary>
    /// <param name="now">When the first period begins.</param>
    /// <param name="mapped">The mapped tier; null when no rule matches.</param>
    public OpeningGrant Opening(DateTimeOffset now, string? mapped)
    {
        var terms = TermsOf(mapped);
        return new(terms.Tier, mapped is null ? _amount : terms.Credits, terms.MonthlyCap, terms.Unlimited, now + _period);
    }

    /// <summary>What the mapped tier gives, or the realm's own where no rule matches.</summary>
    public TierTerms TermsOf(string? mapped) => TierTerms.Of(mapped ?? _tier, _tiers[mapped ?? _tier]);

    /// <summary>Why a user gets no account, one of <see cref="ExclusionReasons"/>; null when it gets one.</summary>
    /// <param name="user">The user.</param>
    /// <param name="accountId">The account id by the template; null where the user lacks a value of it.</param>
    public string? ExclusionReasonOf(Subject user, string? accountId)
    {
        if (_excludesDisabled && !user.Enabled)
            return ExclusionReasons.Disabled;
        if (string.IsNullOrWhiteSpace(user.Email)
            && (CountsAddresses || _eligibility.EmailVerified || _eligibility.EmailDomains.Count > 0))
            return ExclusionReasons.NoEmail;
        if (_eligibility.EmailVerified && !user.EmailVerified)
            return ExclusionReasons.EmailNotVerified;
        if (_eligibility.EmailDomains.Count > 0 && !_eligibility.EmailDomains.Exists(domain => IsIn(user.Email!, domain)))
            return ExclusionReasons.EmailDomain;
        if (_attribute is { } wanted && !Has(user, wanted))
            return ExclusionReasons.Attribute;
        if (NeedsIdentities
            && !_eligibility.IdentityProviders.Exists(alias => user.IdentityProviders?.Contains(alias, StringComparer.Ordinal) == true))
            return ExclusionReasons.IdentityProvider;
        return accountId is null ? ExclusionReasons.NoAccountId : null;
    }

    /// <summary>What the verified address of a user is remembered as; null where it is not, or nothing counts addresses.</summary>
    /// <param name="user">The user.</param>
    /// <param name="once">For what a grant is given once.</param>
    public Claim? ClaimOf(Subject user, OncePer once) => user.EmailVerified ? ClaimOf(user.Email, once) : null;

    /// <summary>What a verified address is remembered as; null without one, or without a key.</summary>
    public Claim? ClaimOf(string? verifiedAddress, OncePer once) => _keys.Of(once, verifiedAddress);

    /// <summary>What stands for a user's identities at providers, always in one order; nothing without a key.</summary>
    public IReadOnlyList<Claim> ClaimsOf(string realm, IEnumerable<FederatedIdentity> identities) =>
    [
        .. identities.Where(identity => identity.UserId is { Length: > 0 })
            .Select(identity => _keys.Identity(realm, identity.IdentityProvider, identity.UserId!)).OfType<Claim>()
            .OrderBy(claim => Convert.ToHexString(claim.Hash), StringComparer.Ordinal),
    ];

    /// <summary>Whether there is a key, without which no address is remembered.</summary>
    public bool CanClaim => _keys.IsSet;

    /// <summary>
    /// Changes when the listing of an excluded user changes, or the rules that excluded it. It is short on purpose: it fits thousands of
    /// addresses and reveals none. One change in 65,536 stays unseen.
    /// </summary>
    public short BriefFingerprintOf(Subject user) => BinaryPrimitives.ReadInt16BigEndian(
        SHA256.HashData(Encoding.UTF8.GetBytes($"{_digest}\n{user.KeycloakId}\n{user.Enabled}\n{user.EmailVerified}\n{user.Email}")));

    private static bool Has(Subject user, (string Name, string? Value) wanted) =>
        user.Attributes?.GetValueOrDefault(wanted.Name) is { Count: > 0 } values
            && (wanted.Value is null || values.Contains(wanted.Value, StringComparer.Ordinal));

    private static bool IsIn(string email, string domain) =>
        email.AsSpan(email.LastIndexOf('@') + 1).Trim().Equals(domain.AsSpan().Trim(), StringComparison.OrdinalIgnoreCase);
}

/// <summary>Why a user has no account, or none that can be used. Stored in `keycloak_users.reason`.</summary>
internal static class ExclusionReasons
{
    public const string Disabled = "disabled";
    public const string NoEmail = "no_email";
    public const string EmailNotVerified = "email_not_verified";
    public const string EmailDomain = "email_domain";
    public const string Attribute = "attribute";
    public const string IdentityProvider = "identity_provider";
    public const string NoAccountId = "no_account_id";

    /// <summary>The account of that id belongs to another user.</summary>
    public const string AccountIdTaken = "account_id_taken";
}
