using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;
using Quartz;

namespace KeycloakCreditBridge.Reconciliation;

/// <summary>Brings the stored schedule, which all replicas share, to what the configuration says, and adds single runs to it.</summary>
internal sealed class ReconciliationSchedule(
    ReconcileRunStore runs, IOptions<KeycloakOptions> keycloak, IOptions<ReconciliationOptions> options)
{
    public async Task ApplyAsync(IScheduler scheduler, CancellationToken cancellationToken)
    {
        var realms = keycloak.Value.Realms.Select(realm => realm.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var realm in realms)
            await ApplyAsync(scheduler, realm, cancellationToken);

        var stored = await scheduler.GetJobKeys(GroupMatcher<JobKey>.GroupEquals(ReconcileJob.Group), cancellationToken);
        await scheduler.DeleteJobs([.. stored.Where(key => !realms.Contains(key.Name))], cancellationToken);
    }

    /// <summary>Has a realm reconciled once, as soon as a replica can. Asked again before that, it is still once; asked while it runs, it is twice.</summary>
    /// <param name="trigger">Why, see <see cref="ReconcileTriggers"/>.</param>
    public static async Task RunOnceAsync(IScheduler scheduler, string realm, string trigger, CancellationToken cancellationToken)
    {
        var key = new TriggerKey(realm, trigger);
        // A run that has begun may be past what this one is asked for: then one more follows it.
        if (await scheduler.GetTriggerState(key, cancellationToken) is not (TriggerState.None or TriggerState.Normal))
            key = new TriggerKey($"{realm} once more", trigger);
        var once = TriggerBuilder.Create().WithIdentity(key).ForJob(ReconcileJob.KeyOf(realm)).StartNow().Build();
        await scheduler.ScheduleTrigger(once, TriggerConflict.Keep, cancellationToken);
    }

    private async Task ApplyAsync(IScheduler scheduler, string realm, CancellationToken cancellationToken)
    {
        var job = JobBuilder.Create<ReconcileJob>().WithIdentity(ReconcileJob.KeyOf(realm)).StoreDurably().Build();
        await scheduler.AddJob(job, AddJobOptions.Replacing, cancellationToken);

        // A stored trigger that says the same stays: it remembers whether a time passed while no replica ran.
        var key = new TriggerKey(realm, ReconcileTriggers.Schedule);
        if (!(await scheduler.GetTrigger(key, cancellationToken) is ICronTrigger stored && Says(stored)))
            await scheduler.ScheduleTrigger(Trigger(key, job.Key), TriggerConflict.Replace, cancellationToken);
        if (!await runs.WasFinishedAsync(realm, cancellationToken))
            await RunOnceAsync(scheduler, realm, ReconcileTriggers.First, cancellationToken);
    }

    private bool Says(ICronTrigger stored) =>
        stored.CronExpressionString == options.Value.Cron
        && stored.MisfireInstruction == Misfire
        && stored.TimeZone.Equals(TimeZoneInfo.Utc);

    private ITrigger Trigger(TriggerKey key, JobKey job) => TriggerBuilder.Create()
        .WithIdentity(key)
        .ForJob(job)
        .WithSchedule(CronScheduleBuilder.Create(options.Value.Cron).InTimeZone(TimeZoneInfo.Utc).WithMisfireInstruction(Misfire))
        .Build();

    private CronTriggerMisfireInstruction Misfire => options.Value.Misfire switch
    {
        MisfirePolicy.FireOnce => CronTriggerMisfireInstruction.FireAndProceed,
        _ => CronTriggerMisfireInstruction.DoNothing,
    };
}
