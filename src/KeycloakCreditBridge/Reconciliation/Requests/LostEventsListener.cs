using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Reconciliation.Schedule;
using Quartz;

namespace KeycloakCreditBridge.Reconciliation.Requests;

/// <summary>Schedules a run at once when the intake says that events of a realm may be lost.</summary>
internal sealed partial class LostEventsListener(
    LostEventsSignal requests, QuartzHost quartz, TimeProvider clock, ILogger<LostEventsListener> logger) : BackgroundService
{
    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var scheduler = await quartz.WaitAsync(stoppingToken);
        await foreach (var request in requests.Reader.ReadAllAsync(stoppingToken))
        {
            LogAsked(request.Realm, request.Reason);
            await new BackgroundLoop(clock, MaxRetryDelay, (exception, isNew) => Failed(request.Realm, exception, isNew)).RetryAsync(
                token => ReconciliationSchedule.RunOnceAsync(scheduler, request.Realm, RunTriggers.Asked, token), stoppingToken);
        }
    }

    private void Failed(string realm, Exception exception, bool isNew)
    {
        if (isNew)
            LogNotScheduled(realm, exception.GetBaseException().Message);
    }

    [LoggerMessage(EventId = 530, Level = LogLevel.Warning, Message = "Realm {Realm} will be reconciled now: {Reason}")]
    private partial void LogAsked(string realm, string reason);

    [LoggerMessage(EventId = 531, Level = LogLevel.Warning,
        Message = "The reconciliation of realm {Realm} could not be scheduled yet: {Reason}")]
    private partial void LogNotScheduled(string realm, string reason);
}
