namespace KeycloakCreditBridge.Reconciliation;

/// <summary>A run at work.</summary>
/// <param name="Owner">The holder of the realm's lease.</param>
/// <param name="Mode">How the realm is read; a run is resumed only in the same mode.</param>
/// <param name="StartedAt">When it first began.</param>
/// <param name="Reached">How far the realm was read.</param>
internal sealed record ReconcileRun(
    long Id, string Owner, ReconcileMode Mode, DateTimeOffset StartedAt, ScanPosition Reached, ReconcileCounts Counts)
{
    /// <summary>Whether another process had begun it.</summary>
    public bool IsResumed => Reached.Number > 0 || Reached.Phase.Length > 0;
}
