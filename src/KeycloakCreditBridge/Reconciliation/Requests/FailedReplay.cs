using System.Globalization;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Intake.Deliveries.Review;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Reconciliation.Schedule;

namespace KeycloakCreditBridge.Reconciliation.Requests;

/// <summary>Replays all failed deliveries of a realm as a run over their users, once the caller has confirmed how many these are.</summary>
internal sealed class FailedReplay(DeliveryListStore deliveries, RequestedRunStore runs, QuartzHost quartz, TimeProvider clock)
{
    /// <summary>More users than this are a matter of a reconciliation.</summary>
    public const int MostUsers = 10_000;

    public Task<FailedDeliveries> CountAsync(string realm, DateTimeOffset since, CancellationToken cancellationToken) =>
        deliveries.CountFailedAsync(realm, since, cancellationToken);

    /// <summary>Enqueues the run, and returns its number.</summary>
    /// <param name="realm">The realm.</param>
    /// <param name="since">Deliveries that came at this time or later.</param>
    /// <param name="confirmed">How many users the caller was told.</param>
    /// <param name="by">The caller, for the audit.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    /// <exception cref="ReplayRefusedException">There are none, too many, or others than confirmed.</exception>
    public async Task<long> StartAsync(
        string realm, DateTimeOffset since, long confirmed, string by, CancellationToken cancellationToken)
    {
        var users = await deliveries.FailedUsersAsync(realm, since, MostUsers + 1, cancellationToken);
        if (users.Count == 0)
            throw new ReplayRefusedException("No failed delivery since then names a user.");
        if (users.Count > MostUsers)
            throw new ReplayRefusedException($"More than {MostUsers} users have failed deliveries: run `reconcile` for the realm.");
        if (Math.Abs(users.Count - confirmed) * 100 > users.Count)
        {
            throw new ReplayRefusedException(
                $"{users.Count} users have failed deliveries since then, and {confirmed} were confirmed: confirm this number.");
        }

        var request = new RunRequest(realm, RunTriggers.Http, UserIds: users, ReEvaluate: true);
        var run = await runs.EnqueueAsync(request, clock.GetUtcNow(), cancellationToken);
        await deliveries.AuditAsync(
            realm, user: null, string.Create(CultureInfo.InvariantCulture, $"run {run}"), by, users.Count, cancellationToken);
        // Without it the run waits: a replica whose schedule runs finds it.
        if (quartz.Running is { } scheduler)
            await ReconciliationSchedule.RunWaitingAsync(scheduler, realm, run, cancellationToken);
        return run;
    }
}

/// <summary>A replay that is not begun. The message says why, and what to do.</summary>
internal sealed class ReplayRefusedException(string message) : Exception(message);
