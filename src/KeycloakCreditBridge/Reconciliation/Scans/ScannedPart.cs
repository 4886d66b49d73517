using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Reconciliation.Scans;

/// <summary>Some of a realm's users.</summary>
/// <param name="Users">Those that no earlier part has shown.</param>
/// <param name="ReadAt">When Keycloak was asked.</param>
/// <param name="Reached">The place after them.</param>
/// <param name="StartedOver">The whole realm is read again from here: counts begin anew.</param>
internal sealed record ScannedPart(IReadOnlyList<Subject> Users, DateTimeOffset ReadAt, ScanPosition Reached, bool StartedOver = false)
{
    /// <summary>How many more users were seen to agree with their records.</summary>
    public long Unchanged { get; init; }

    /// <summary>How many users the realm has; null where the scan did not learn it.</summary>
    public long? Expected { get; init; }

    /// <summary>Whether Keycloak imported some of them from a directory because the scan asked for them.</summary>
    public bool Imports { get; init; }

    /// <summary>What was wrong with single users, which are not among the others.</summary>
    public IReadOnlyList<string> Problems { get; init; } = [];
}
