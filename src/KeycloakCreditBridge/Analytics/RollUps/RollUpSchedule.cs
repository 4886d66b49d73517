using KeycloakCreditBridge.Hosting;
using Microsoft.Extensions.Options;
using Quartz;

namespace KeycloakCreditBridge.Analytics.RollUps;

/// <summary>Brings the stored schedule of analytics into line with the configuration.</summary>
internal sealed class RollUpSchedule(IOptions<AnalyticsOptions> options) : IScheduledJobs
{
    private const string Group = "analytics";

    public string Name => "analytics";

    public IEnumerable<string> Groups => options.Value.Enabled ? [Group] : [];

    public async Task ApplyAsync(IScheduler scheduler, CancellationToken cancellationToken)
    {
        if (!options.Value.Enabled)
            return;
        var job = JobBuilder.Create<RollUpJob>().WithIdentity(RollUpJob.Key).StoreDurably().Build();
        await scheduler.AddJob(job, AddJobOptions.Replacing, cancellationToken);
        var key = new TriggerKey(RollUpJob.Key.Name, RollUpJob.Key.Group);
        var isStored = await scheduler.GetTrigger(key, cancellationToken) is ICronTrigger stored
            && stored.CronExpressionString == options.Value.Cron && stored.ExecutionGroup == Group;
        if (!isStored)
            await scheduler.ScheduleTrigger(Trigger(key), TriggerConflict.Replace, cancellationToken);
    }

    // Of many times that passed while no replica ran, one is enough, and the next will do.
    private ITrigger Trigger(TriggerKey key) => TriggerBuilder.Create()
        .WithIdentity(key)
        .ForJob(RollUpJob.Key)
        .WithExecutionGroup(Group)
        .WithSchedule(CronScheduleBuilder.Create(options.Value.Cron).InTimeZone(TimeZoneInfo.Utc)
            .WithMisfireInstruction(CronTriggerMisfireInstruction.DoNothing))
        .Build();
}
