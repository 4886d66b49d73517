using KeycloakCreditBridge.Hosting;
using Microsoft.Extensions.Options;
using Quartz;

namespace KeycloakCreditBridge.Grants.Sweep;

/// <summary>Brings the stored schedule of the sweep into line with the configuration.</summary>
internal sealed class LotSweepSchedule(IOptions<GrantsOptions> options) : IScheduledJobs
{
    public string Name => "the sweep of ended credits";

    public IEnumerable<string> Groups => [LotSweepJob.Key.Group];

    public async Task ApplyAsync(IScheduler scheduler, CancellationToken cancellationToken)
    {
        var job = JobBuilder.Create<LotSweepJob>().WithIdentity(LotSweepJob.Key).StoreDurably().Build();
        await scheduler.AddJob(job, AddJobOptions.Replacing, cancellationToken);
        var key = new TriggerKey(LotSweepJob.Key.Name, LotSweepJob.Key.Group);
        if (await scheduler.GetTrigger(key, cancellationToken) is ISimpleTrigger stored
            && stored.RepeatInterval == options.Value.SweepEvery)
            return;
        await scheduler.ScheduleTrigger(Trigger(key), TriggerConflict.Replace, cancellationToken);
    }

    private ITrigger Trigger(TriggerKey key) => TriggerBuilder.Create()
        .WithIdentity(key)
        .ForJob(LotSweepJob.Key)
        .WithExecutionGroup(LotSweepJob.Key.Group)
        .StartNow()
        .WithSchedule(SimpleScheduleBuilder.Create().WithInterval(options.Value.SweepEvery).RepeatForever())
        .Build();
}
