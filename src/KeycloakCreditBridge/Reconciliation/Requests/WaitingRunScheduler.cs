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
        for (var failed = false; ; await Task.Delay(LookEvery, clock, stoppingToken))
        {
            try
            {
                var now = clock.GetUtcNow();
                await requested.RequeueInterruptedAsync(realms, now, now - Reconciler.ContinuedFor, now - AfterFailure, stoppingToken);
                foreach (var (run, realm) in await requested.WaitingAsync(realms, stoppingToken))
                    if (await ReconciliationSchedule.TryRunWaitingAsync(scheduler, realm, run, stoppingToken))
                        LogTakenUp(run, realm);
                failed = false;
            }
            catch (SchedulerException) when (stoppingToken.IsCancellationRequested)
            {
                // Quartz wraps the cancellation of what it was at.
                return;
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                if (!failed)
                    LogNotLooked(exception.GetBaseException().Message);
                failed = true;
            }
        }
    }

    [LoggerMessage(EventId = 532, Level = LogLevel.Information, Message = "Run {Run} of realm {Realm} waits: it begins or goes on as soon as a replica can.")]
    private partial void LogTakenUp(long run, string realm);

    [LoggerMessage(EventId = 533, Level = LogLevel.Warning, Message = "Runs that wait could not be looked for, will try again: {Reason}")]
    private partial void LogNotLooked(string reason);
}
