using KeycloakCreditBridge.Hosting;
using Microsoft.Extensions.Options;
using Quartz;

namespace KeycloakCreditBridge.Grants.Sweep;

/// <summary>
/// Brings the stored schedule of the sweep into line with the configuration. Nothing is scheduled where no credits have an end.
/// </summary>
internal sealed class LotSweepSchedule(SweepBacklogStore backlog, IOptions<GrantsOptions> options) : IScheduledJobs
{
    private static readonly TriggerKey Key = new(LotSweepJob.Key.Name, LotSweepJob.Key.Group);

    public string Name => "the sweep of ended credits";

    public IEnumerable<string> Groups => [LotSweepJob.Key.Group];

    public async Task ApplyAsync(IScheduler scheduler, CancellationToken cancellationToken)
    {
        var job = JobBuilder.Create<LotSweepJob>().WithIdentity(LotSweepJob.Key).StoreDurably().Build();
        await scheduler.AddJob(job, AddJobOptions.Replacing, cancellationToken);
        await ApplyAsync(scheduler, (await backlog.ReadAsync(cancellationToken)).HasEnds, cancellationToken);
    }

    /// <summary>Has the sweep run while credits have an end.</summary>
    public async Task ApplyAsync(IScheduler scheduler, bool hasEnds, CancellationToken cancellationToken)
    {
        var stored = await scheduler.GetTrigger(Key, cancellationToken);
        if (!hasEnds)
        {
            if (stored is not null)
                await scheduler.UnscheduleJob(Key, cancellationToken);
            return;
        }

        if (stored is not ISimpleTrigger same || same.RepeatInterval != options.Value.SweepEvery)
            await scheduler.ScheduleTrigger(Trigger(), TriggerConflict.Replace, cancellationToken);
    }

    private ITrigger Trigger() => TriggerBuilder.Create()
        .WithIdentity(Key)
        .ForJob(LotSweepJob.Key)
        .WithExecutionGroup(LotSweepJob.Key.Group)
        .StartNow()
        .WithSchedule(SimpleScheduleBuilder.Create().WithInterval(options.Value.SweepEvery).RepeatForever())
        .Build();
}
