namespace KeycloakCreditBridge.Operations.Commands;

/// <summary>What `reconcile` and `backfill` were told.</summary>
/// <param name="Realms">Empty for all that are configured.</param>
/// <param name="Users">Empty for the whole realm.</param>
/// <param name="Rejudge">`backfill`: users with complete records are converged too.</param>
internal sealed record ReconcileArguments(
    string[] Settings, IReadOnlyList<string> Realms, DateTimeOffset? Since, IReadOnlyList<string> Users, bool DryRun, bool Json, bool Rejudge)
{
    public string Command => Rejudge ? "backfill" : "reconcile";
}
