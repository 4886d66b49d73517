namespace KeycloakCreditBridge.Grants.Referrals;

/// <summary>How far a referral is. The database keeps the names in lower case.</summary>
internal enum ReferralState
{
    /// <summary>A referee gave the code.</summary>
    Touched,

    /// <summary>The referee qualified, and has one of the referrer's places; what qualified must stand for a while.</summary>
    Pending,

    /// <summary>It stood: both are owed.</summary>
    Earned,

    /// <summary>Both are paid.</summary>
    Paid,

    /// <summary>The code did not count.</summary>
    Refused,

    /// <summary>The referrer had no place left, or the budget was used up: only the referee is paid.</summary>
    Capped,

    /// <summary>An account is on hold, a person reviews the grant, or too many of the referrer's referees were deleted.</summary>
    Held,

    /// <summary>What qualified did not stand.</summary>
    Canceled,

    /// <summary>The referee did not qualify in time.</summary>
    Expired,

    /// <summary>It was paid and taken back.</summary>
    Reversed,
}

/// <summary>Which state may follow which. Pure.</summary>
internal static class ReferralMoves
{
    private static readonly Dictionary<ReferralState, ReferralState[]> Allowed = new()
    {
        [ReferralState.Touched] =
            [ReferralState.Pending, ReferralState.Capped, ReferralState.Refused, ReferralState.Canceled, ReferralState.Expired],
        [ReferralState.Pending] = [ReferralState.Earned, ReferralState.Held, ReferralState.Canceled],
        [ReferralState.Earned] = [ReferralState.Paid, ReferralState.Capped, ReferralState.Held, ReferralState.Canceled],
        [ReferralState.Held] = [ReferralState.Pending, ReferralState.Canceled],
        [ReferralState.Capped] = [ReferralState.Canceled, ReferralState.Reversed],
        [ReferralState.Paid] = [ReferralState.Reversed],
        [ReferralState.Refused] = [],
        // An approved appeal against the review that canceled it.
        [ReferralState.Canceled] = [ReferralState.Held, ReferralState.Capped],
        [ReferralState.Expired] = [],
        [ReferralState.Reversed] = [],
    };

    public static bool IsAllowed(ReferralState from, ReferralState to) => Allowed[from].Contains(to);

    /// <summary>Whether nothing follows any more unless a person asks for it.</summary>
    public static bool IsOver(ReferralState state) => Allowed[state].Length == 0 || state is ReferralState.Paid or ReferralState.Canceled;

    /// <exception cref="InvalidOperationException">The state may not follow.</exception>
    public static void Check(ReferralState from, ReferralState to)
    {
        if (!IsAllowed(from, to))
            throw new InvalidOperationException($"A referral that is {Name(from)} cannot become {Name(to)}.");
    }

    /// <summary>As the database keeps it.</summary>
    public static string Name(ReferralState state) => state.ToString().ToLowerInvariant();

    /// <exception cref="ArgumentException">There is no such state.</exception>
    public static ReferralState Parse(string name) => Enum.Parse<ReferralState>(name, ignoreCase: true);
}

/// <summary>Why a referral was refused, held or canceled, or why only the referee is paid.</summary>
internal static class ReferralReasons
{
    public const string OwnCode = "own_code";
    public const string ReferrerClosed = "referrer_closed";
    public const string ReferrerNotVerified = "referrer_not_verified";
    public const string RefereeOlder = "referee_older";
    public const string SameInbox = "same_inbox";
    public const string Circle = "circle";
    public const string TooLate = "too_late";
    public const string AlreadyReceived = "already_received";
    public const string RefereeClosed = "referee_closed";
    public const string NotVerified = "not_verified";
    public const string NotMet = "not_met";
    public const string AccountHeld = "account_held";
    public const string RefereesDeleted = "referees_deleted";
    public const string NoPlace = "no_place";
    public const string BudgetUsedUp = "budget_used_up";
    public const string InReview = "in_review";
    public const string ReviewRefused = "review_refused";
    public const string Reversed = "reversed";

    public static readonly IReadOnlyList<string> OfRefusals =
        [OwnCode, ReferrerClosed, ReferrerNotVerified, RefereeOlder, SameInbox, Circle, TooLate, AlreadyReceived];
}
