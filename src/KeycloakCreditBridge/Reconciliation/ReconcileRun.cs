using KeycloakCreditBridge.Reconciliation.Scans;

namespace KeycloakCreditBridge.Reconciliation;

/// <summary>A run at work.</summary>
/// <param name="Owner">The holder of the realm's lease.</param>
/// <param name="Mode">How the realm is read; one run is continued only by another of the same mode.</param>
/// <param name="StartedAt">When it was begun first.</param>
/// <param name="Reached">How far the realm was read.</param>
internal sealed record ReconcileRun(
    long Id, string Owner, ReconcileMode Mode, DateTimeOffset StartedAt, ScanPosition Reached, ReconcileCounts Counts)
{
    /// <summary>Whether another process had begun it.</summary>
    public bool IsContinued => Reached.Number > 0 || Reached.Phase.Length > 0;
}

/// <summary>What is known of another's run.</summary>
internal sealed record RunningRun(long Id, string Trigger, DateTimeOffset StartedAt, long Seen, long? Expected);
