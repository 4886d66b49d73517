using Quartz;
using Quartz.Extensibility;

namespace KeycloakCreditBridge.Hosting.Schedule;

/// <summary>Makes jobs from the program's services: a scheduler that is built anew has only services of its own.</summary>
internal sealed class ServiceJobFactory(IServiceProvider services) : IJobFactory
{
    public ValueTask<JobScope> CreateJob(TriggerFiredBundle bundle, IScheduler scheduler, CancellationToken cancellationToken = default) =>
        new(new JobScope((IJob)ActivatorUtilities.CreateInstance(services, bundle.JobDetail.JobType.Type), null));

    public ValueTask ReturnJob(JobScope scope, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;
}
