using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Reconciliation;
using Microsoft.Extensions.Options;
using Quartz;

namespace KeycloakCreditBridge.Periods;

/// <summary>Brings the stored schedule of periods to what the configuration says, once the scheduler runs.</summary>
internal sealed partial class PeriodSchedule(
    QuartzHost quartz,
    IOptions<PeriodsOptions> options,
    IOptions<ReconciliationOptions> reconciliation,
    TimeProvider clock,
    ILogger<PeriodSchedule> logger) : BackgroundService
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.Value.Enabled && !reconciliation.Value.Enabled)
            LogElsewhere();
        var scheduler = await quartz.WaitAsync(stoppingToken);
        for (var failures = 0; !await TryApplyAsync(scheduler, failures, stoppingToken);)
            await Task.Delay(RetryDelay.After(++failures, LongestPause), clock, stoppingToken);
    }

    private async Task<bool> TryApplyAsync(IScheduler scheduler, int failures, CancellationToken cancellationToken)
    {
        try
        {
            await ApplyAsync(scheduler, cancellationToken);
            return true;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            if (failures == 0)
                LogWaiting(exception.GetBaseException().Message);
            return false;
        }
    }

    private async Task ApplyAsync(IScheduler scheduler, CancellationToken cancellationToken)
    {
        if (!options.Value.Enabled)
        {
            await scheduler.DeleteJob(PeriodJob.Key, cancellationToken);
            return;
        }

        var job = JobBuilder.Create<PeriodJob>().WithIdentity(PeriodJob.Key).StoreDurably().Build();
        await scheduler.AddJob(job, AddJobOptions.Replacing, cancellationToken);
        // A stored trigger that says the same stays: it remembers a time that passed while no replica ran.
        var key = new TriggerKey(PeriodJob.Key.Name, PeriodJob.Key.Group);
        if (!(await scheduler.GetTrigger(key, cancellationToken) is ICronTrigger stored && stored.CronExpressionString == options.Value.Cron))
            await scheduler.ScheduleTrigger(Trigger(key), TriggerConflict.Replace, cancellationToken);
        LogScheduled(options.Value.Cron);
    }

    // A time that passed while nobody ran is made up for at once, and once.
    private ITrigger Trigger(TriggerKey key) => TriggerBuilder.Create()
        .WithIdentity(key)
        .ForJob(PeriodJob.Key)
        .WithSchedule(CronScheduleBuilder.Create(options.Value.Cron).InTimeZone(TimeZoneInfo.Utc)
            .WithMisfireInstruction(CronTriggerMisfireInstruction.FireAndProceed))
        .Build();

    [LoggerMessage(EventId = 920, Level = LogLevel.Information, Message = "Accounts whose period ended are renewed by schedule: {Cron} (UTC).")]
    private partial void LogScheduled(string cron);

    [LoggerMessage(EventId = 921, Level = LogLevel.Warning, Message = "The schedule of periods cannot be stored yet, will try again: {Reason}")]
    private partial void LogWaiting(string reason);

    [LoggerMessage(EventId = 922, Level = LogLevel.Warning,
        Message = "Periods:Enabled is true, but this replica runs no schedule, as Reconciliation:Enabled is false: another replica has to renew accounts.")]
    private partial void LogElsewhere();
}
