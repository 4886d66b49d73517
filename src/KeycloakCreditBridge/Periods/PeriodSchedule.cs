using KeycloakCreditBridge.Hosting;
using Microsoft.Extensions.Options;
using Quartz;

namespace KeycloakCreditBridge.Periods;

/// <summary>Brings the stored schedule of periods into line with the configuration.</summary>
internal sealed partial class PeriodSchedule(IOptions<PeriodsOptions> options, ILogger<PeriodSchedule> logger) : IScheduledJobs
{
    private const string Group = "periods";

    public string Name => "periods";

    public IEnumerable<string> Groups => options.Value.Enabled ? [Group] : [];

    public async Task ApplyAsync(IScheduler scheduler, CancellationToken cancellationToken)
    {
        // The job of a replica that renews periods stays; this one does not serve its group.
        if (!options.Value.Enabled)
            return;

        var job = JobBuilder.Create<PeriodJob>().WithIdentity(PeriodJob.Key).StoreDurably().Build();
        await scheduler.AddJob(job, AddJobOptions.Replacing, cancellationToken);
        // An equal stored trigger stays: it remembers a time that passed while no replica ran.
        var key = new TriggerKey(PeriodJob.Key.Name, PeriodJob.Key.Group);
        var isStored = await scheduler.GetTrigger(key, cancellationToken) is ICronTrigger stored
            && stored.CronExpressionString == options.Value.Cron && stored.ExecutionGroup == Group;
        if (!isStored)
            await scheduler.ScheduleTrigger(Trigger(key), TriggerConflict.Replace, cancellationToken);
        LogScheduled(options.Value.Cron);
    }

    // A time that passed while no replica ran is made up for at once, and once.
    private ITrigger Trigger(TriggerKey key) => TriggerBuilder.Create()
        .WithIdentity(key)
        .ForJob(PeriodJob.Key)
        .WithExecutionGroup(Group)
        .WithSchedule(CronScheduleBuilder.Create(options.Value.Cron).InTimeZone(TimeZoneInfo.Utc)
            .WithMisfireInstruction(CronTriggerMisfireInstruction.FireAndProceed))
        .Build();

    [LoggerMessage(EventId = 920, Level = LogLevel.Information,
        Message = "Accounts whose period ended are renewed on the schedule {Cron} (UTC).")]
    private partial void LogScheduled(string cron);
}
