using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Grants.Claims;

namespace KeycloakCreditBridge.Provisioning.Policy;

/// <summary>Which users get an account, what it is opened with, and what becomes of it. Realms may have rules of their own.</summary>
[Hot]
internal sealed class ProvisioningOptions
{
    public const string Section = "Provisioning";

    /// <summary>Tier of a new account; a key of <see cref="Tiers"/>.</summary>
    public string Tier { get; set; } = "trial";

    /// <summary>How a user's tier follows from Keycloak; <see cref="Tier"/> where no rule matches.</summary>
    public TierFromOptions TierFrom { get; set; } = new();

    /// <summary>Credits of the opening grant in place of the tier's, at most six decimals.</summary>
    public decimal? Amount { get; set; }

    /// <summary>How long a period lasts; `last_reset` of a new account is now plus this.</summary>
    [NeedsRestart]
    public TimeSpan Period { get; set; } = TimeSpan.FromDays(30);

    /// <summary>Whether a tier switch adds or takes the difference of the two tiers' credits for the rest of the period.</summary>
    public bool ProRate { get; set; }

    /// <summary>What an account's id is made of; see <see cref="AccountIdTemplate"/>.</summary>
    [NeedsRestart]
    public string AccountId { get; set; } = "{id}";

    /// <summary>What a disabled user without an account gets.</summary>
    public DisabledUsers DisabledUsers { get; set; }

    /// <summary>What becomes of the balance when an account is closed.</summary>
    public DeletedUsers DeletedUsers { get; set; }

    /// <summary>Which users get an account. These rules remove no existing account.</summary>
    public EligibilityOptions Eligibility { get; set; } = new();

    /// <summary>How often the opening grant is given.</summary>
    [NeedsRestart]
    public SignupGrantOptions SignupGrant { get; set; } = new();

    /// <summary>Tiers by name.</summary>
    public Dictionary<string, TierOptions> Tiers { get; set; } = new(StringComparer.Ordinal)
    {
        ["free"] = new() { Credits = 0m },
        ["trial"] = new() { Credits = 5.00m },
        ["starter"] = new() { Credits = 20.00m },
        ["professional"] = new() { Credits = 60.00m },
        ["enterprise"] = new() { Unlimited = true },
    };

    /// <summary>What is different in single realms, by the realm's name.</summary>
    public Dictionary<string, RealmRuleOptions> Realms { get; set; } = new(StringComparer.Ordinal);
}

/// <summary>What a tier grants for each period.</summary>
internal sealed class TierOptions
{
    /// <summary>Credits granted, at most six decimals.</summary>
    public decimal Credits { get; set; }

    /// <summary>Most credits a period may use; the granted credits when absent.</summary>
    public decimal? MonthlyCap { get; set; }

    /// <summary>Metered, not bounded: the account has no cap and its balance refuses nothing.</summary>
    public bool Unlimited { get; set; }
}

/// <summary>Rules of one realm; what is null is as in <see cref="ProvisioningOptions"/>.</summary>
internal sealed class RealmRuleOptions
{
    public string? Tier { get; set; }

    /// <summary>Replaces the default mapping as a whole.</summary>
    public TierFromOptions? TierFrom { get; set; }

    /// <summary>In place of the tier's credits. A realm with a tier of its own inherits no amount.</summary>
    public decimal? Amount { get; set; }

    [NeedsRestart]
    public string? AccountId { get; set; }

    public DisabledUsers? DisabledUsers { get; set; }

    public DeletedUsers? DeletedUsers { get; set; }

    /// <summary>Replaces the default rules as a whole.</summary>
    public EligibilityOptions? Eligibility { get; set; }

    [NeedsRestart]
    public RealmSignupGrantOptions? SignupGrant { get; set; }
}

/// <summary>Which users get an account: those that meet every rule set here.</summary>
internal sealed class EligibilityOptions
{
    /// <summary>Only users with a verified address.</summary>
    public bool EmailVerified { get; set; }

    /// <summary>Only users with an address in one of these domains, subdomains excluded; any user when empty.</summary>
    public List<string> EmailDomains { get; set; } = [];

    /// <summary>`name`: only users with this attribute; `name=value`: only those with this value among its values.</summary>
    public string Attribute { get; set; } = "";

    /// <summary>Only users linked to one of these identity providers, by alias; any user when empty.</summary>
    public List<string> IdentityProviders { get; set; } = [];
}

/// <summary>How often the opening grant is given.</summary>
internal sealed class SignupGrantOptions
{
    public OncePer OncePer { get; set; }

    /// <summary>
    /// Key of the hashes that addresses are remembered as, at least 32 characters. Changing the key forgets all remembered addresses,
    /// unless the old one is one of <see cref="PreviousEmailKeys"/>.
    /// </summary>
    public string EmailKey { get; set; } = "";

    /// <summary>Keys of the time before: addresses that were remembered by them stay so.</summary>
    public List<string> PreviousEmailKeys { get; set; } = [];

    /// <summary>Whether an inbox of Yahoo ignores what follows a hyphen.</summary>
    public bool YahooHyphen { get; set; }

    /// <summary>Whether inboxes of domains without a rule of their own ignore what follows a plus.</summary>
    public bool PlusForOthers { get; set; }

    /// <summary>How long addresses stay remembered after their account was closed.</summary>
    public TimeSpan RetainClaims { get; set; } = TimeSpan.FromDays(730);

    /// <summary>What makes the hashes.</summary>
    public ClaimKeys ToKeys() => new(EmailKey, PreviousEmailKeys, new InboxRules(YahooHyphen, PlusForOthers));
}

/// <summary>How often the opening grant is given in one realm.</summary>
internal sealed class RealmSignupGrantOptions
{
    public OncePer? OncePer { get; set; }
}

/// <summary>What a disabled user without an account gets.</summary>
internal enum DisabledUsers
{
    /// <summary>An account that is held.</summary>
    Hold,

    /// <summary>None, until enabled.</summary>
    Exclude,
}

/// <summary>What becomes of the balance when an account is closed.</summary>
internal enum DeletedUsers
{
    /// <summary>It stays.</summary>
    Keep,

    /// <summary>It is taken to zero by a row of the ledger.</summary>
    Forfeit,
}
