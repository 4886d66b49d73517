using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Hosting.Schedule;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;
using Quartz;

namespace KeycloakCreditBridge.Reconciliation.Tasks;

/// <summary>Brings the stored schedule of undone tasks into line with the configuration. Without a time nothing is scheduled.</summary>
internal sealed class TaskReadingSchedule(IOptions<KeycloakOptions> keycloak, IOptions<GrantsOptions> options) : IScheduledJobs
{
    public string Name => "undone tasks";

    public IEnumerable<string> Groups => keycloak.Value.Realms.Select(realm => ExecutionGroups.OfRealm(realm.Name));

    public async Task ApplyAsync(IScheduler scheduler, CancellationToken cancellationToken)
    {
        var cron = options.Value.TasksCron;
        foreach (var realm in keycloak.Value.Realms.Select(realm => realm.Name))
        {
            var key = new TriggerKey(realm, TaskReadingJob.Group);
            var stored = await scheduler.GetTrigger(key, cancellationToken);
            if (cron.Length == 0 && stored is not null)
                await scheduler.UnscheduleJob(key, cancellationToken);
            if (cron.Length == 0 || (stored is ICronTrigger same && same.CronExpressionString == cron))
                continue;
            var job = JobBuilder.Create<TaskReadingJob>().WithIdentity(TaskReadingJob.KeyOf(realm)).StoreDurably().Build();
            await scheduler.AddJob(job, AddJobOptions.Replacing, cancellationToken);
            await scheduler.ScheduleTrigger(Trigger(key, cron), TriggerConflict.Replace, cancellationToken);
        }
    }

    // A time that passed while no replica ran is left to the next one.
    private static ITrigger Trigger(TriggerKey key, string cron) => TriggerBuilder.Create()
        .WithIdentity(key)
        .ForJob(TaskReadingJob.KeyOf(key.Name))
        .WithExecutionGroup(ExecutionGroups.OfRealm(key.Name))
        .WithSchedule(CronScheduleBuilder.Create(cron).InTimeZone(TimeZoneInfo.Utc)
            .WithMisfireInstruction(CronTriggerMisfireInstruction.DoNothing))
        .Build();
}
