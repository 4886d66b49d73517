namespace KeycloakCreditBridge.Grants.Review;

/// <summary>A user whose grant is due, as it is known when the verdict is made.</summary>
internal sealed record Candidate(
    string Realm, string KeycloakId, string AccountId, string? Email, bool EmailVerified, DateTimeOffset RegisteredAt,
    IReadOnlyCollection<string> IdentityProviders, IReadOnlyCollection<string> Groups, bool Invited);

/// <summary>A signal that spoke, or that could not.</summary>
/// <param name="Signal">One of <see cref="SignalNames"/>.</param>
/// <param name="Score">What it counts, 0 to 100; 0 where it is only recorded.</param>
/// <param name="Missing">Why it could not speak; null where it spoke.</param>
internal sealed record SignalHit(string Signal, int Score, string? Missing = null);

/// <summary>What the signals say of one user.</summary>
/// <param name="Score">The sum of what spoke, at most 100; 0 for an exempt user.</param>
/// <param name="Hits">What spoke and what could not.</param>
/// <param name="Exempt">Why no signal counts, one of <see cref="Exemptions"/>; null where they count.</param>
internal sealed record Assessment(int Score, IReadOnlyList<SignalHit> Hits, string? Exempt)
{
    /// <summary>Nothing speaks against the user.</summary>
    public static readonly Assessment Clean = new(0, [], null);
}

/// <summary>Why no signal counts against a user.</summary>
internal static class Exemptions
{
    /// <summary>The user bought credits.</summary>
    public const string Paid = "paid";

    public const string IdentityProvider = "identity_provider";
    public const string Group = "group";
    public const string EmailDomain = "email_domain";

    /// <summary>The user registered with a signed invitation.</summary>
    public const string Invited = "invited";

    /// <summary>An administrator made the user.</summary>
    public const string Administrator = "administrator";

    /// <summary>An operator allowed the user's address.</summary>
    public const string Allowed = "allowed";
}
