using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Reconciliation.Schedule;
using Microsoft.Extensions.Options;
using Quartz;

namespace KeycloakCreditBridge.Reconciliation.Requests;

/// <summary>
/// Schedules waiting runs. Runs of dead or stopped processes become waiting at once, failed runs after a while. A run begins once: a second
/// replica finds that it no longer waits.
/// </summary>
internal sealed partial class WaitingRunScheduler(
    RequestedRunStore requested, QuartzHost quartz, IOptions<KeycloakOptions> keycloak, TimeProvider clock,
    ILogger<WaitingRunScheduler> logger)
    : BackgroundService
{
    private static readonly TimeSpan CheckEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan AfterFailure = TimeSpan.FromMinutes(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var scheduler = await quartz.WaitAsync(stoppingToken);
        string[] realms = [.. keycloak.Value.Realms.Select(realm => realm.Name)];
        await new BackgroundLoop(clock, CheckEvery, Failed).RunAsync(
            token => ScheduleWaitingAsync(scheduler, realms, token), CheckEvery, stoppingToken);

        void Failed(Exception exception, bool isNew)
        {
            if (isNew)
                LogNotChecked(exception.GetBaseException().Message);
        }
    }

    private async Task ScheduleWaitingAsync(IScheduler scheduler, string[] realms, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        await requested.RequeueInterruptedAsync(realms, now, now - Reconciler.ResumableFor, now - AfterFailure, cancellationToken);
        foreach (var (run, realm) in await requested.WaitingAsync(realms, cancellationToken))
            if (await ReconciliationSchedule.TryRunWaitingAsync(scheduler, realm, run, cancellationToken))
                LogScheduled(run, realm);
    }

    [LoggerMessage(EventId = 532, Level = LogLevel.Information,
        Message = "Run {Run} of realm {Realm} waits: it begins or resumes as soon as a replica can.")]
    private partial void LogScheduled(long run, string realm);

    [LoggerMessage(EventId = 533, Level = LogLevel.Warning, Message = "Waiting runs could not be read, will try again: {Reason}")]
    private partial void LogNotChecked(string reason);
}
