using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Reconciliation.Schedule;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation.Requests;

/// <summary>Has a run begin as soon as a replica can.</summary>
internal sealed class RunStarter(
    RequestedRunStore store, QuartzHost quartz, IOptions<ReconciliationOptions> options, TimeProvider clock)
{
    /// <summary>The number of the run.</summary>
    /// <exception cref="RequestRefusedException">This replica does not reconcile.</exception>
    public async Task<long> StartAsync(RunRequest request, CancellationToken cancellationToken)
    {
        if (!options.Value.Enabled)
        {
            throw new RequestRefusedException(
                StatusCodes.Status409Conflict,
                "Reconciliation:Enabled is false on this replica: ask a replica that reconciles, or use the command `reconcile`.");
        }

        var id = await store.EnqueueAsync(request, clock.GetUtcNow(), cancellationToken);
        // Without it the run waits: a replica whose schedule runs, or this one later, finds it.
        if (quartz.Running is { } scheduler)
            await ReconciliationSchedule.RunWaitingAsync(scheduler, request.Realm, id, cancellationToken);
        return id;
    }
}
