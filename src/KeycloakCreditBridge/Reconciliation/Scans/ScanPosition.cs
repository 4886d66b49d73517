using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Reconciliation.Scans;

/// <summary>A place in a reading of a realm.</summary>
/// <param name="Phase">Which part of the reading, where it has several; empty for the first.</param>
/// <param name="Number">How far into it: rows of a list, or milliseconds since 1970.</param>
/// <param name="Tail">Ids of the last users before it.</param>
internal sealed record ScanPosition(string Phase, long Number, IReadOnlyList<string> Tail)
{
    public static readonly ScanPosition Start = new("", 0, []);
}

/// <summary>Some of a realm's users.</summary>
/// <param name="Users">Those that no part before has shown.</param>
/// <param name="ReadAt">When Keycloak was asked.</param>
/// <param name="Reached">The place behind them.</param>
/// <param name="StartedOver">All of the realm is read again from here: counts begin anew.</param>
internal sealed record ScannedPart(IReadOnlyList<Subject> Users, DateTimeOffset ReadAt, ScanPosition Reached, bool StartedOver = false)
{
    /// <summary>How many people more were seen to be as they are on record.</summary>
    public long Unchanged { get; init; }

    /// <summary>How many people the realm has, where reading told; null where it did not.</summary>
    public long? Expected { get; init; }

    /// <summary>Whether Keycloak took some of them from a directory just now, because it was asked for them.</summary>
    public bool Imports { get; init; }

    /// <summary>What was wrong with single users, who are not among the others.</summary>
    public IReadOnlyList<string> Problems { get; init; } = [];
}
