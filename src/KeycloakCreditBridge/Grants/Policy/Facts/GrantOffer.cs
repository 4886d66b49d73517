using KeycloakCreditBridge.Grants.Budgets;

namespace KeycloakCreditBridge.Grants.Policy.Facts;

/// <param name="Due">Grants whose requirements are met.</param>
/// <param name="Offers">Grants that wait, or came too late.</param>
internal sealed record PlannedGrants(IReadOnlyList<GrantOffer> Due, IReadOnlyList<GrantOffer> Offers)
{
    public static readonly PlannedGrants None = new([], []);

    /// <summary>Tasks whose evidence was first seen now and must stand for a while.</summary>
    public IReadOnlyList<SettlingTask> Settling { get; init; } = [];

    /// <summary>When the welcome is decided that waits for nothing else; null where it does not wait so.</summary>
    public DateTimeOffset? DecidesAt { get; init; }

    /// <summary>Names of tasks whose evidence did not stand.</summary>
    public IReadOnlyList<string> Undone { get; init; } = [];
}

/// <summary>A grant that a policy gives.</summary>
/// <param name="Key">The ledger's `grant_key`, which makes it once for an account.</param>
/// <param name="State">See <see cref="OfferStates"/>.</param>
/// <param name="Missing">Names of the requirements that are not met.</param>
/// <param name="Until">When it lapses; null without an end.</param>
/// <param name="Version">Stands for the configuration that decides.</param>
internal sealed record GrantOffer(
    string Key, decimal Credits, string State, IReadOnlyList<string> Missing, DateTimeOffset? Until, string Policy, string Version)
{
    /// <summary>Nothing is missing, and the user has to be read in full before a rule can decide.</summary>
    public bool IsUndecided { get; init; }

    /// <summary>When its evidence has stood long enough; null where that is not what it waits for.</summary>
    public DateTimeOffset? SettlesAt { get; init; }

    /// <summary>What a due grant comes to, in the order in which budgets are asked.</summary>
    public IReadOnlyList<GrantChoice> Choices { get; init; } = [];
}

/// <summary>What became of a grant that was not given.</summary>
internal static class OfferStates
{
    public const string Open = "open";
    public const string Lapsed = "lapsed";

    /// <summary>A person decides.</summary>
    public const string InReview = "in_review";

    /// <summary>A review refused it.</summary>
    public const string Refused = "refused";
}

/// <summary>What a grant comes to.</summary>
/// <param name="Rule">The rule that decides; null where none matches.</param>
/// <param name="Budget">What has to be left of it; null without a limit.</param>
/// <param name="Tier">The account's tier then; null where it stays.</param>
internal sealed record GrantChoice(string? Rule, decimal Credits, Budget? Budget, TimeSpan? ExpiresAfter, string? Tier)
{
    /// <summary>What the tier is worth; null where the account keeps its own.</summary>
    public AwardedTier? Terms { get; init; }
}

/// <summary>The tier that comes with a grant.</summary>
internal sealed record AwardedTier(string Name, decimal? MonthlyCap, bool Unlimited);

/// <param name="DueAt">When its evidence is read again.</param>
internal sealed record SettlingTask(string Task, DateTimeOffset SeenAt, DateTimeOffset DueAt);
