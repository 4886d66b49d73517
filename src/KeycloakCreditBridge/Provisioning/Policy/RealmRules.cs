using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace KeycloakCreditBridge.Provisioning.Policy;

/// <summary>The rules that hold in one realm.</summary>
internal sealed class RealmRules
{
    private readonly Dictionary<string, TierOptions> _tiers;
    private readonly string _tier;
    private readonly decimal _amount;
    private readonly TimeSpan _period;
    private readonly EligibilityOptions _eligibility;
    private readonly (string Name, string? Value)? _attribute;
    private readonly bool _excludesDisabled;
    private readonly byte[]? _emailKey;
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
        _emailKey = (realm?.SignupGrant?.OncePer ?? options.SignupGrant.OncePer) == OncePer.Email
            ? Encoding.UTF8.GetBytes(options.SignupGrant.EmailKey)
            : null;
    }

    public AccountIdTemplate AccountId { get; }

    /// <summary>Which tier Keycloak says.</summary>
    public TierMap TierMap { get; }

    /// <summary>Whether the balance goes when an account is closed.</summary>
    public bool Forfeits { get; }

    /// <summary>Whether identity providers have to be asked for.</summary>
    public bool NeedsIdentities => _eligibility.IdentityProviders.Count > 0;

    /// <summary>Whether a listing's brief representation is too little to judge by.</summary>
    public bool NeedsMoreThanBrief => NeedsIdentities || _attribute is not null || AccountId.NeedsAttributes || TierMap.IsFollowed;

    /// <summary>Whether an enabled person's id is all there is to judge by.</summary>
    public bool NeedsIdAlone =>
        AccountId.IsFixed && _emailKey is null && !NeedsMoreThanBrief && !_eligibility.EmailVerified && _eligibility.EmailDomains.Count == 0;

    /// <summary>What a new account is opened with. The realm's amount belongs to the realm's own tier.</summary>
    /// <param name="now">When the first period begins.</param>
    /// <param name="mapped">The tier that Keycloak says; null when it says none.</param>
    public OpeningGrant Opening(DateTimeOffset now, string? mapped)
    {
        var terms = TermsOf(mapped);
        return new(terms.Tier, mapped is null ? _amount : terms.Credits, terms.MonthlyCap, terms.Unlimited, now + _period);
    }

    /// <summary>What the tier gives that Keycloak says, or the realm's own where it says none.</summary>
    public TierTerms TermsOf(string? mapped) => TierTerms.Of(mapped ?? _tier, _tiers[mapped ?? _tier]);

    /// <summary>Why a person gets no account, a word of <see cref="ExclusionReasons"/>; null when nothing speaks against it.</summary>
    /// <param name="person">The person.</param>
    /// <param name="accountId">What the template makes of the person.</param>
    public string? ExclusionReasonOf(Subject person, string? accountId)
    {
        if (_excludesDisabled && !person.Enabled)
            return ExclusionReasons.Disabled;
        if (string.IsNullOrWhiteSpace(person.Email) && (_emailKey is not null || _eligibility.EmailVerified || _eligibility.EmailDomains.Count > 0))
            return ExclusionReasons.NoEmail;
        if (_eligibility.EmailVerified && !person.EmailVerified)
            return ExclusionReasons.EmailNotVerified;
        if (_eligibility.EmailDomains.Count > 0 && !_eligibility.EmailDomains.Exists(domain => IsIn(person.Email!, domain)))
            return ExclusionReasons.EmailDomain;
        if (_attribute is { } wanted && !Has(person, wanted))
            return ExclusionReasons.Attribute;
        if (NeedsIdentities && !_eligibility.IdentityProviders.Exists(alias => person.IdentityProviders?.Contains(alias, StringComparer.Ordinal) == true))
            return ExclusionReasons.IdentityProvider;
        return accountId is null ? ExclusionReasons.NoAccountId : null;
    }

    /// <summary>What the address is remembered as; null where nobody counts addresses.</summary>
    public byte[]? HashOf(string? email) => _emailKey is null || string.IsNullOrWhiteSpace(email)
        ? null
        : HMACSHA256.HashData(_emailKey, Encoding.UTF8.GetBytes(email.Trim().ToLowerInvariant()));

    /// <summary>
    /// Tells whether what a listing shows of somebody changed, or the rules that left them out. So short on purpose that it fits thousands of addresses and gives none away;
    /// one change in 65,536 stays unseen.
    /// </summary>
    public short BriefFingerprintOf(Subject person) => BinaryPrimitives.ReadInt16BigEndian(
        SHA256.HashData(Encoding.UTF8.GetBytes($"{_digest}\n{person.KeycloakId}\n{person.Enabled}\n{person.EmailVerified}\n{person.Email}")));

    private static bool Has(Subject person, (string Name, string? Value) wanted) =>
        person.Attributes?.GetValueOrDefault(wanted.Name) is { Count: > 0 } values && (wanted.Value is null || values.Contains(wanted.Value, StringComparer.Ordinal));

    private static bool IsIn(string email, string domain) =>
        email.AsSpan(email.LastIndexOf('@') + 1).Trim().Equals(domain.AsSpan().Trim(), StringComparison.OrdinalIgnoreCase);
}

/// <summary>Why a person has no account, or none that can be used. Stored in `keycloak_users.reason`.</summary>
internal static class ExclusionReasons
{
    public const string Disabled = "disabled";
    public const string NoEmail = "no_email";
    public const string EmailNotVerified = "email_not_verified";
    public const string EmailDomain = "email_domain";
    public const string Attribute = "attribute";
    public const string IdentityProvider = "identity_provider";
    public const string NoAccountId = "no_account_id";

    /// <summary>The account of that id is somebody else's.</summary>
    public const string AccountIdTaken = "account_id_taken";
}
