using KeycloakCreditBridge.Reconciliation;

namespace KeycloakCreditBridge.Cli.Reconcile;

/// <summary>The arguments of `reconcile` and `backfill`.</summary>
/// <param name="Realms">Empty for all that are configured.</param>
/// <param name="Users">Empty for the whole realm.</param>
/// <param name="Mode">How the realm is read.</param>
/// <param name="AllowClosing">How many accounts may be closed, if that is more than the configured share.</param>
/// <param name="ReEvaluate">`backfill`: users with complete records are evaluated too.</param>
internal sealed record ReconcileArguments(
    string[] Settings, IReadOnlyList<string> Realms, DateTimeOffset? Since, IReadOnlyList<string> Users, bool DryRun, bool Json,
    bool ReEvaluate, ReconcileMode Mode,
    int? AllowClosing)
{
    public string Command => ReEvaluate ? "backfill" : "reconcile";
}
