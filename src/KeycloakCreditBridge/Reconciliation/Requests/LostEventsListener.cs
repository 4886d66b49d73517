using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Reconciliation.Schedule;

namespace KeycloakCreditBridge.Reconciliation.Requests;

/// <summary>Schedules a run at once when the intake says that events of a realm may be lost.</summary>
internal sealed partial class LostEventsListener(
    LostEventsSignal signals, QuartzHost quartz, TimeProvider clock, ILogger<LostEventsListener> logger) : BackgroundService
{
    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan GatherFor = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var scheduler = await quartz.WaitAsync(stoppingToken);
        while (await signals.Reader.WaitToReadAsync(stoppingToken))
        {
            // An import signals once a user: one run answers them all.
            await Task.Delay(GatherFor, clock, stoppingToken);
            foreach (var (realm, reason) in TakeAll().DistinctBy(signal => signal.Realm))
            {
                LogAsked(realm, reason);
                await new BackgroundLoop(clock, MaxRetryDelay, (exception, isNew) => Failed(realm, exception, isNew)).RetryAsync(
                    token => ReconciliationSchedule.RunOnceAsync(scheduler, realm, RunTriggers.Asked, token), stoppingToken);
            }
        }
    }

    private IEnumerable<LostEvents> TakeAll()
    {
        while (signals.Reader.TryRead(out var signal))
            yield return signal;
    }

    private void Failed(string realm, Exception exception, bool isNew)
    {
        if (isNew)
            LogNotScheduled(realm, exception.GetBaseException().Message);
    }

    [LoggerMessage(EventId = 530, Level = LogLevel.Warning, Message = "Realm {Realm} is reconciled now: {Reason}")]
    private partial void LogAsked(string realm, string reason);

    [LoggerMessage(EventId = 531, Level = LogLevel.Warning,
        Message = "The reconciliation of realm {Realm} could not be scheduled yet: {Reason}")]
    private partial void LogNotScheduled(string realm, string reason);
}
