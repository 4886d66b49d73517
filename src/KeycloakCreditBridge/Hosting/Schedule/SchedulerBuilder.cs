using Npgsql;
using Quartz;

namespace KeycloakCreditBridge.Hosting.Schedule;

/// <summary>
/// Builds Quartz's scheduler, a new one for each try: one that failed to start was shut down by Quartz and never starts again.
/// </summary>
internal sealed class SchedulerBuilder(
    ScheduleStore store, NpgsqlDataSource dataSource, IServiceProvider services, ILoggerFactory logs, TimeProvider clock)
    : IDisposable
{
    // Triggers without a group are those of replicas of an earlier version.
    private const string Ungrouped = "_";

    private readonly QuartzLogs _logs = new(logs, clock);

    public void Dispose() => _logs.Dispose();

    /// <summary>Makes the tables that are missing, and leaves the schedule alone.</summary>
    public async Task ProvisionAsync(CancellationToken cancellationToken)
    {
        if (!(await store.FindAsync(cancellationToken)).IsIncomplete)
            return;
        await using var factory = await BuildAsync([], cancellationToken);
        await factory.GetScheduler(cancellationToken);
    }

    /// <summary>A scheduler that is not built yet. Disposing of the result shuts it down.</summary>
    /// <param name="groups">The execution groups that this replica serves.</param>
    /// <param name="cancellationToken">Ends the look for its tables.</param>
    /// <exception cref="ScheduleException">It cannot be kept where it should be.</exception>
    public async Task<StandaloneSchedulerFactory> BuildAsync(IEnumerable<string> groups, CancellationToken cancellationToken)
    {
        var place = await store.FindAsync(cancellationToken);
        return QuartzSchedulerBuilder.Create(quartz =>
        {
            quartz.Services.AddSingleton<ILoggerFactory>(_logs);
            quartz.Services.AddSingleton(clock);
            quartz.UseJobFactory(new ServiceJobFactory(services));
            quartz.ConfigureScheduler(scheduler => scheduler.InstanceName = "credit-bridge");
            quartz.ServeExecutionGroups([Ungrouped, .. groups.Distinct(StringComparer.Ordinal)]);
            quartz.UsePersistentStore(persistent =>
            {
                persistent.UsePostgres(postgres => postgres.DataSourceFactory = _ => dataSource);
                persistent.ConfigureStore(options =>
                {
                    options.TablePrefix = place.Prefix;
                    // A scheduler that had to be abandoned must not keep the process alive.
                    options.UseBackgroundThreads = true;
                });
                persistent.UseClustering();
                // Making tables needs a privilege that the service does without once they are there.
                if (place.IsIncomplete)
                    persistent.ProvisionSchema();
            });
        }).Build();
    }
}
