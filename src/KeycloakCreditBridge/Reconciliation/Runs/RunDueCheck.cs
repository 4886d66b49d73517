namespace KeycloakCreditBridge.Reconciliation.Runs;

/// <summary>Tells whether a run is worth beginning, once it is known how it would read the realm.</summary>
internal sealed class RunDueCheck(CompleteRunStore complete, RequestedRunStore requested, ListThrottle throttle, TimeProvider clock)
{
    /// <summary>Why nothing is to be done now; null when the run is due.</summary>
    public async Task<string?> ReasonToSkipAsync(RunRequest request, ReconcileMode mode, CancellationToken cancellationToken)
    {
        // Replicas that start together may each have asked for it.
        if (request.Trigger == RunTriggers.First && await complete.HasCompleteRunAsync(request.Realm, cancellationToken))
        {
            const string Reason = "The realm was read meanwhile.";
            if (request.WaitingRun is { } run)
                await requested.EndAsync(run, Reason, clock.GetUtcNow(), cancellationToken);
            return Reason;
        }

        // A waiting run is done at once: no time of the schedule comes for it again.
        var isThrottled = request is { Trigger: RunTriggers.Schedule, WaitingRun: null } && mode == ReconcileMode.List;
        return isThrottled && await throttle.UntilAsync(request.Realm, cancellationToken) is { } until
            ? $"The list takes this Keycloak long; it is read again from {until:u} on."
            : null;
    }
}
