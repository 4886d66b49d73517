namespace KeycloakCreditBridge.Grants.Review.Holds;

/// <summary>How far the review of a grant is. The database keeps the names in lower case.</summary>
internal enum HoldState
{
    /// <summary>It waits for a decision.</summary>
    Held,

    /// <summary>It was paid.</summary>
    Approved,

    /// <summary>It is not paid.</summary>
    Rejected,

    /// <summary>It is not paid: it was not decided in time.</summary>
    Lapsed,
}

/// <summary>Which state may follow which. Pure.</summary>
internal static class HoldMoves
{
    /// <summary>Whether the move is one; from a refusal back into the queue leads an appeal alone.</summary>
    public static bool IsAllowed(HoldState from, HoldState to) => (from, to) switch
    {
        (HoldState.Held, HoldState.Approved or HoldState.Rejected or HoldState.Lapsed) => true,
        (HoldState.Rejected or HoldState.Lapsed, HoldState.Held) => true,
        _ => false,
    };

    /// <summary>As the database keeps it.</summary>
    public static string Name(HoldState state) => state.ToString().ToLowerInvariant();

    /// <exception cref="ArgumentException">There is no such state.</exception>
    public static HoldState Parse(string name) => Enum.Parse<HoldState>(name, ignoreCase: true);
}
