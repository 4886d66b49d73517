using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Hosting.Schedule;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Reconciliation.Runs;
using Microsoft.Extensions.Options;
using Quartz;

namespace KeycloakCreditBridge.Reconciliation.Schedule;

/// <summary>Brings the stored schedule, which all replicas share, into line with the configuration, and adds single runs to it.</summary>
internal sealed partial class ReconciliationSchedule(
    CompleteRunStore runs, IOptions<KeycloakOptions> keycloak, IOptions<ReconciliationOptions> options,
    ILogger<ReconciliationSchedule> logger)
    : IScheduledJobs
{
    private const string RetrySuffix = " again";

    public string Name => "reconciliation";

    public IEnumerable<string> Groups => keycloak.Value.Realms.Select(realm => ExecutionGroups.OfRealm(realm.Name));

    // Jobs of other realms are another bridge's, or of replicas with another configuration: they stay, and fire only where the realm is
    // watched.
    public async Task ApplyAsync(IScheduler scheduler, CancellationToken cancellationToken)
    {
        var realms = keycloak.Value.Realms.Select(realm => realm.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var realm in realms)
            await ApplyAsync(scheduler, realm, cancellationToken);
        LogApplied(options.Value.Cron, options.Value.CompleteCron);

        var stored = await scheduler.GetJobKeys(GroupMatcher<JobKey>.GroupEquals(ReconcileJob.Group), cancellationToken);
        var others = stored.Select(key => key.Name).Where(realm => !realms.Contains(realm)).Order(StringComparer.Ordinal).ToList();
        var named = string.Join(", ", others);
        if (named.Length > 0)
            LogOthers(named);
    }

    /// <summary>
    /// Schedules one run as soon as a replica can. Requests before it begins share it; a request while it runs adds one more.
    /// </summary>
    /// <param name="scheduler">The running scheduler.</param>
    /// <param name="realm">The realm's name.</param>
    /// <param name="trigger">Why, see <see cref="RunTriggers"/>.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    public static async Task RunOnceAsync(IScheduler scheduler, string realm, string trigger, CancellationToken cancellationToken)
    {
        var key = new TriggerKey(realm, trigger);
        // A run that has begun may have read already what this one is asked for: then one more follows it.
        if (await scheduler.GetTriggerState(key, cancellationToken) is not (TriggerState.None or TriggerState.Normal))
            key = new TriggerKey($"{realm} once more", trigger);
        await scheduler.ScheduleTrigger(Once(key, realm), TriggerConflict.Keep, cancellationToken);
    }

    /// <summary>Schedules a waiting run as soon as a replica can.</summary>
    public static async Task RunWaitingAsync(IScheduler scheduler, string realm, long run, CancellationToken cancellationToken)
    {
        var key = new TriggerKey(RequestedRunStore.TriggerName(run), RunTriggers.Http);
        await scheduler.ScheduleTrigger(Once(key, realm), TriggerConflict.Keep, cancellationToken);
    }

    /// <summary>The same for a run that may be scheduled already; false when it is.</summary>
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

    /// <summary>Schedules a later try of a run that could not be done now.</summary>
    public static async Task RetryAsync(
        IScheduler scheduler, TriggerKey fired, JobKey job, DateTimeOffset at, CancellationToken cancellationToken)
    {
        var later = TriggerBuilder.Create().WithIdentity(RetryKey(fired)).ForJob(job)
            .WithExecutionGroup(ExecutionGroups.OfRealm(job.Name)).StartAt(at).Build();
        await scheduler.ScheduleTrigger(later, TriggerConflict.Keep, cancellationToken);
    }

    // The trigger that fired is deleted after its run: the next one needs another name.
    private static TriggerKey RetryKey(TriggerKey fired) =>
        new(
            fired.Name.EndsWith(RetrySuffix, StringComparison.Ordinal) ? fired.Name[..^RetrySuffix.Length] : fired.Name + RetrySuffix,
            fired.Group);

    private async Task ApplyAsync(IScheduler scheduler, string realm, CancellationToken cancellationToken)
    {
        var job = JobBuilder.Create<ReconcileJob>().WithIdentity(ReconcileJob.KeyOf(realm)).StoreDurably().Build();
        await scheduler.AddJob(job, AddJobOptions.Replacing, cancellationToken);

        // An equal stored trigger stays: it remembers whether a time passed while no replica ran.
        foreach (var (group, cron) in new[] { (RunTriggers.Schedule, options.Value.Cron), (RunTriggers.Daily, options.Value.CompleteCron) })
        {
            var key = new TriggerKey(realm, group);
            if (!(await scheduler.GetTrigger(key, cancellationToken) is ICronTrigger stored && Matches(stored, realm, cron)))
                await scheduler.ScheduleTrigger(Trigger(key, job.Key, cron), TriggerConflict.Replace, cancellationToken);
        }

        // A first run that is scheduled or at work is kept.
        if (!await runs.HasCompleteRunAsync(realm, cancellationToken))
            await scheduler.ScheduleTrigger(Once(new TriggerKey(realm, RunTriggers.First), realm), TriggerConflict.Keep, cancellationToken);
    }

    private static ITrigger Once(TriggerKey key, string realm) =>
        TriggerBuilder.Create().WithIdentity(key).ForJob(ReconcileJob.KeyOf(realm))
            .WithExecutionGroup(ExecutionGroups.OfRealm(realm)).StartNow().Build();

    private bool Matches(ICronTrigger stored, string realm, string cron) =>
        stored.CronExpressionString == cron
        && stored.ExecutionGroup == ExecutionGroups.OfRealm(realm)
        && stored.MisfireInstruction == Misfire
        && stored.TimeZone.Equals(TimeZoneInfo.Utc);

    private ITrigger Trigger(TriggerKey key, JobKey job, string cron) => TriggerBuilder.Create()
        .WithIdentity(key)
        .ForJob(job)
        .WithExecutionGroup(ExecutionGroups.OfRealm(job.Name))
        .WithSchedule(CronScheduleBuilder.Create(cron).InTimeZone(TimeZoneInfo.Utc).WithMisfireInstruction(Misfire))
        .Build();

    private CronTriggerMisfireInstruction Misfire => options.Value.Misfire switch
    {
        MisfirePolicy.FireOnce => CronTriggerMisfireInstruction.FireAndProceed,
        _ => CronTriggerMisfireInstruction.DoNothing,
    };

    [LoggerMessage(EventId = 520, Level = LogLevel.Information,
        Message = "Realms are reconciled by schedule (UTC): by counts {Cron}, completely {CompleteCron}.")]
    private partial void LogApplied(string cron, string completeCron);

    [LoggerMessage(EventId = 521, Level = LogLevel.Information,
        Message = "The schedule has realms that this replica does not watch and leaves to others: {Realms}.")]
    private partial void LogOthers(string realms);
}
