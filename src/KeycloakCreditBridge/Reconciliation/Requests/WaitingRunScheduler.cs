using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Reconciliation.Schedule;
using Microsoft.Extensions.Options;
using Quartz;

namespace KeycloakCreditBridge.Reconciliation.Requests;

/// <summary>
/// Has runs begin, or go on, whose process ended before they did, here at the start or in another replica that runs; and what failed once
/// more after a while. A run is taken up once: whoever comes second finds that it waits no more.
/// </summary>
internal sealed partial class WaitingRunScheduler(
    RequestedRunStore requested, QuartzHost quartz, IOptions<KeycloakOptions> keycloak, TimeProvider clock, ILogger<WaitingRunScheduler> logger)
    : BackgroundService
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan AfterFailure = TimeSpan.FromMinutes(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var scheduler = await quartz.WaitAsync(stoppingToken);
        string[] realms = [.. keycloak.Value.Realms.Select(realm => realm.Name)];
        await new BackgroundLoop(clock, LookEvery, Failed).RunAsync(
            token => ScheduleWaitingAsync(scheduler, realms, token), LookEvery, stoppingToken);

        void Failed(Exception exception, bool isNew)
        {
            if (isNew)
                LogNotLooked(exception.GetBaseException().Message);
        }
    }

    private async Task ScheduleWaitingAsync(IScheduler scheduler, string[] realms, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        await requested.RequeueInterruptedAsync(realms, now, now - Reconciler.ContinuedFor, now - AfterFailure, cancellationToken);
        foreach (var (run, realm) in await requested.WaitingAsync(realms, cancellationToken))
            if (await ReconciliationSchedule.TryRunWaitingAsync(scheduler, realm, run, cancellationToken))
                LogTakenUp(run, realm);
    }

    [LoggerMessage(EventId = 532, Level = LogLevel.Information, Message = "Run {Run} of realm {Realm} waits: it begins or goes on as soon as a replica can.")]
    private partial void LogTakenUp(long run, string realm);

    [LoggerMessage(EventId = 533, Level = LogLevel.Warning, Message = "Runs that wait could not be looked for, will try again: {Reason}")]
    private partial void LogNotLooked(string reason);
}
