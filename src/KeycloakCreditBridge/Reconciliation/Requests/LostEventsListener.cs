using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Reconciliation.Schedule;
using Quartz;

namespace KeycloakCreditBridge.Reconciliation.Requests;

/// <summary>Has a realm reconciled where the intake says that events of it may have been lost.</summary>
internal sealed partial class LostEventsListener(
    LostEventsSignal requests, QuartzHost quartz, TimeProvider clock, ILogger<LostEventsListener> logger) : BackgroundService
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var scheduler = await quartz.WaitAsync(stoppingToken);
        await foreach (var request in requests.Reader.ReadAllAsync(stoppingToken))
        {
            LogAsked(request.Realm, request.Reason);
            var first = true;
            while (!await TryScheduleAsync(scheduler, request.Realm, first, stoppingToken))
            {
                first = false;
                await Task.Delay(RetryAfter, clock, stoppingToken);
            }
        }
    }

    private async Task<bool> TryScheduleAsync(IScheduler scheduler, string realm, bool first, CancellationToken cancellationToken)
    {
        try
        {
            await ReconciliationSchedule.RunOnceAsync(scheduler, realm, RunTriggers.Asked, cancellationToken);
            return true;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            if (first)
                LogNotScheduled(realm, exception.Message);
            return false;
        }
    }

    [LoggerMessage(EventId = 530, Level = LogLevel.Warning, Message = "Realm {Realm} will be reconciled now: {Reason}")]
    private partial void LogAsked(string realm, string reason);

    [LoggerMessage(EventId = 531, Level = LogLevel.Warning,
        Message = "The reconciliation of realm {Realm} could not be scheduled yet: {Reason}")]
    private partial void LogNotScheduled(string realm, string reason);
}
