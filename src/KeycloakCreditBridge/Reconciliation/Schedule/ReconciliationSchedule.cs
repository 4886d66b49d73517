using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Reconciliation.Runs;
using Microsoft.Extensions.Options;
using Quartz;

namespace KeycloakCreditBridge.Reconciliation.Schedule;

/// <summary>Brings the stored schedule, which all replicas share, to what the configuration says, and adds single runs to it.</summary>
internal sealed class ReconciliationSchedule(
    CompleteRunStore runs, IOptions<KeycloakOptions> keycloak, IOptions<ReconciliationOptions> options)
{
    private const string Again = " again";

    public async Task ApplyAsync(IScheduler scheduler, CancellationToken cancellationToken)
    {
        var realms = keycloak.Value.Realms.Select(realm => realm.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var realm in realms)
            await ApplyAsync(scheduler, realm, cancellationToken);

        var stored = await scheduler.GetJobKeys(GroupMatcher<JobKey>.GroupEquals(ReconcileJob.Group), cancellationToken);
        await scheduler.DeleteJobs([.. stored.Where(key => !realms.Contains(key.Name))], cancellationToken);
    }

    /// <summary>Has a realm reconciled once, as soon as a replica can. Asked again before that, it is still once; asked while it runs, it is twice.</summary>
    /// <param name="trigger">Why, see <see cref="RunTriggers"/>.</param>
    public static async Task RunOnceAsync(IScheduler scheduler, string realm, string trigger, CancellationToken cancellationToken)
    {
        var key = new TriggerKey(realm, trigger);
        // A run that has begun may be past what this one is asked for: then one more follows it.
        if (await scheduler.GetTriggerState(key, cancellationToken) is not (TriggerState.None or TriggerState.Normal))
            key = new TriggerKey($"{realm} once more", trigger);
        await scheduler.ScheduleTrigger(Once(key, realm), TriggerConflict.Keep, cancellationToken);
    }

    /// <summary>Has a run that was announced done as soon as a replica can.</summary>
    public static async Task RunWaitingAsync(IScheduler scheduler, string realm, long run, CancellationToken cancellationToken)
    {
        var key = new TriggerKey(RequestedRunStore.TriggerName(run), RunTriggers.Http);
        await scheduler.ScheduleTrigger(Once(key, realm), TriggerConflict.Keep, cancellationToken);
    }

    /// <summary>The same for a run that nobody may have scheduled yet; false when somebody has.</summary>
    public static async Task<bool> TryRunWaitingAsync(IScheduler scheduler, string realm, long run, CancellationToken cancellationToken)
    {
        var key = new TriggerKey(RequestedRunStore.TriggerName(run), RunTriggers.Http);
        foreach (var scheduled in (TriggerKey[])[key, RetryKey(key)])
        {
            if (await scheduler.GetTrigger(scheduled, cancellationToken) is not null)
                return false;
        }

        await RunWaitingAsync(scheduler, realm, run, cancellationToken);
        return true;
    }

    /// <summary>Has what a trigger asked for done later, as it could not be done now.</summary>
    public static async Task RetryAsync(IScheduler scheduler, TriggerKey asked, JobKey job, DateTimeOffset at, CancellationToken cancellationToken)
    {
        var later = TriggerBuilder.Create().WithIdentity(RetryKey(asked)).ForJob(job).StartAt(at).Build();
        await scheduler.ScheduleTrigger(later, TriggerConflict.Keep, cancellationToken);
    }

    // The trigger that fired is deleted behind its run: the next one needs another name.
    private static TriggerKey RetryKey(TriggerKey asked) =>
        new(asked.Name.EndsWith(Again, StringComparison.Ordinal) ? asked.Name[..^Again.Length] : asked.Name + Again, asked.Group);

    private async Task ApplyAsync(IScheduler scheduler, string realm, CancellationToken cancellationToken)
    {
        var job = JobBuilder.Create<ReconcileJob>().WithIdentity(ReconcileJob.KeyOf(realm)).StoreDurably().Build();
        await scheduler.AddJob(job, AddJobOptions.Replacing, cancellationToken);

        // A stored trigger that says the same stays: it remembers whether a time passed while no replica ran.
        foreach (var (group, cron) in new[] { (RunTriggers.Schedule, options.Value.Cron), (RunTriggers.Daily, options.Value.CompleteCron) })
        {
            var key = new TriggerKey(realm, group);
            if (!(await scheduler.GetTrigger(key, cancellationToken) is ICronTrigger stored && Matches(stored, cron)))
                await scheduler.ScheduleTrigger(Trigger(key, job.Key, cron), TriggerConflict.Replace, cancellationToken);
        }

        // A replica that starts beside one that is at it asks for nothing more.
        if (!await runs.HasCompleteRunAsync(realm, cancellationToken))
            await scheduler.ScheduleTrigger(Once(new TriggerKey(realm, RunTriggers.First), realm), TriggerConflict.Keep, cancellationToken);
    }

    private static ITrigger Once(TriggerKey key, string realm) =>
        TriggerBuilder.Create().WithIdentity(key).ForJob(ReconcileJob.KeyOf(realm)).StartNow().Build();

    private bool Matches(ICronTrigger stored, string cron) =>
        stored.CronExpressionString == cron
        && stored.MisfireInstruction == Misfire
        && stored.TimeZone.Equals(TimeZoneInfo.Utc);

    private ITrigger Trigger(TriggerKey key, JobKey job, string cron) => TriggerBuilder.Create()
        .WithIdentity(key)
        .ForJob(job)
        .WithSchedule(CronScheduleBuilder.Create(cron).InTimeZone(TimeZoneInfo.Utc).WithMisfireInstruction(Misfire))
        .Build();

    private CronTriggerMisfireInstruction Misfire => options.Value.Misfire switch
    {
        MisfirePolicy.FireOnce => CronTriggerMisfireInstruction.FireAndProceed,
        _ => CronTriggerMisfireInstruction.DoNothing,
    };
}
