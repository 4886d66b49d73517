using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Grants.Policy.Settings;

/// <summary>Review of grants, common to all realms that have no settings of their own.</summary>
internal sealed class FraudOptions : RealmFraudOptions
{
    /// <summary>
    /// The secret with which networks and inboxes are hashed, of at least 32 characters. Another key forgets all of them, unless the old
    /// one is one of <see cref="PreviousKeys"/>.
    /// </summary>
    [NeedsRestart]
    public string Key { get; set; } = "";

    /// <summary>Keys of the time before: inboxes that were kept by one of them are known.</summary>
    [NeedsRestart]
    public List<string> PreviousKeys { get; set; } = [];

    /// <summary>How long a hold is kept after its decision.</summary>
    public TimeSpan RetainHolds { get; set; } = TimeSpan.FromDays(730);

    /// <summary>Domains that give an address to every visitor.</summary>
    public DisposableOptions Disposable { get; set; } = new();
}

/// <summary>Which grants are held for review.</summary>
internal class RealmFraudOptions
{
    /// <summary>Whether grants are reviewed at all.</summary>
    public bool Enabled { get; set; }

    /// <summary>The score from which a grant is held, 1 to 100.</summary>
    public int Hold { get; set; } = 40;

    /// <summary>The score from which a grant is refused, 1 to 100; null for never.</summary>
    public int? Refuse { get; set; }

    /// <summary>What an account has while its welcome is held, at most six decimals.</summary>
    public decimal WhileHeld { get; set; }

    /// <summary>How long a hold waits for a decision.</summary>
    public TimeSpan LapseAfter { get; set; } = TimeSpan.FromDays(14);

    /// <summary>What becomes of a hold that was not decided.</summary>
    public LapseVerdict Lapse { get; set; }

    /// <summary>What is different of single signals, by their names.</summary>
    public Dictionary<string, SignalOptions> Signals { get; set; } = new(StringComparer.Ordinal);

    /// <summary>Users whose grants are never held.</summary>
    public ExemptOptions Exempt { get; set; } = new();
}

internal enum LapseVerdict
{
    Reject,
    Approve,
}

/// <summary>What is different of one signal.</summary>
internal sealed class SignalOptions
{
    /// <summary>What it counts, 0 to 100; 0 has it recorded and nothing more.</summary>
    public int Score { get; set; }
}

/// <summary>Users whose grants are never held, besides those that paid, that were invited and that an administrator made.</summary>
internal sealed class ExemptOptions
{
    /// <summary>Aliases of identity providers; a user that is linked to one is exempt.</summary>
    public List<string> IdentityProviders { get; set; } = [];

    /// <summary>Whole paths of groups; `/staff/*` for their subgroups.</summary>
    public List<string> Groups { get; set; } = [];

    /// <summary>Domains of verified addresses; `*.edu.example` for those below.</summary>
    public List<string> EmailDomains { get; set; } = [];
}

/// <summary>Where disposable domains come from.</summary>
internal sealed class DisposableOptions
{
    /// <summary>A file with domains, one a line; empty for those that come with the program alone.</summary>
    public string File { get; set; } = "";

    /// <summary>Whether the file replaces those that come with the program, in place of adding to them.</summary>
    public bool Replace { get; set; }
}
