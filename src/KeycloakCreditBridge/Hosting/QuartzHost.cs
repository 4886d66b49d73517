using KeycloakCreditBridge.Hosting.Schedule;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.Extensions.Options;
using Quartz;

namespace KeycloakCreditBridge.Hosting;

/// <summary>
/// Runs Quartz's scheduler once the schema is ready. Quartz's own hosted service would end the host when PostgreSQL is down at its
/// start, and would keep the HTTP server closed until then.
/// </summary>
internal sealed partial class QuartzHost(
    SchedulerBuilder builder,
    IEnumerable<IScheduledJobs> jobs,
    SchemaGate gate,
    IOptions<QuartzHostOptions> options,
    TimeProvider clock,
    ILogger<QuartzHost> logger) : BackgroundService
{
    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromSeconds(5);

    private readonly TaskCompletionSource<IScheduler> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private StandaloneSchedulerFactory? _factory;

    /// <summary>Why the schedule does not run yet, in one line; null while it runs, where it shall not, and before the first try.</summary>
    public string? Problem { get; private set; }

    /// <summary>The schedule that runs here; null while it does not.</summary>
    public IScheduler? Running => _started.Task.IsCompletedSuccessfully ? _started.Task.Result : null;

    /// <summary>Ends when the schedule runs; never where this replica runs none.</summary>
    public Task<IScheduler> WaitAsync(CancellationToken cancellationToken) => _started.Task.WaitAsync(cancellationToken);

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (!_started.Task.IsCompletedSuccessfully)
            return;
        try
        {
            // Jobs end after the part at hand. A job that waits for a PostgreSQL that hangs must not hold up the end: its work is resumed.
            await (await _started.Task).Shutdown(waitForJobsToComplete: true, cancellationToken).AsTask().WaitAsync(cancellationToken);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            LogNotShutDown(exception.Message);
            return;
        }

        if (_factory is not null)
            await _factory.DisposeAsync();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!options.Value.Enabled)
        {
            var names = string.Join(", ", jobs.Select(job => job.Name));
            LogDisabled(names, options.Value.Setting);
            return;
        }

        await gate.WaitAsync(stoppingToken);
        await new BackgroundLoop(clock, MaxRetryDelay, Failed).RetryAsync(BeginAsync, stoppingToken);

        void Failed(Exception exception, bool isNew)
        {
            var reason = PrivilegeErrors.Describe(exception.GetBaseException()).ReplaceLineEndings(" ");
            if (reason != Problem)
                LogWaiting(reason);
            Problem = reason;
        }
    }

    private async Task BeginAsync(CancellationToken cancellationToken)
    {
        var factory = await builder.BuildAsync(jobs.SelectMany(job => job.Groups), cancellationToken);
        try
        {
            var scheduler = await factory.GetScheduler(cancellationToken);
            foreach (var job in jobs)
                await job.ApplyAsync(scheduler, cancellationToken);
            await scheduler.Start(cancellationToken);
            (_factory, Problem) = (factory, null);
            _started.SetResult(scheduler);
        }
        catch
        {
            await factory.DisposeAsync();
            throw;
        }
    }

    [LoggerMessage(EventId = 720, Level = LogLevel.Information,
        Message = "{Setting} is false: this replica runs no schedule ({Jobs}); other replicas and commands still do the work.")]
    private partial void LogDisabled(string jobs, string setting);

    [LoggerMessage(EventId = 721, Level = LogLevel.Warning, Message = "The schedule cannot be started yet, will try again: {Reason}")]
    private partial void LogWaiting(string reason);

    [LoggerMessage(EventId = 722, Level = LogLevel.Warning, Message = "The scheduler was abandoned before it had shut down: {Reason}")]
    private partial void LogNotShutDown(string reason);
}

/// <summary>Jobs that a room adds to the stored schedule, which all replicas share.</summary>
internal interface IScheduledJobs
{
    /// <summary>What the log calls them.</summary>
    string Name { get; }

    /// <summary>The execution groups of its triggers that this replica fires.</summary>
    IEnumerable<string> Groups => [];

    /// <summary>Brings the stored jobs into line with the configuration, before the scheduler starts.</summary>
    Task ApplyAsync(IScheduler scheduler, CancellationToken cancellationToken);
}

/// <summary>Set by the room whose settings say whether this replica runs the schedule.</summary>
internal sealed class QuartzHostOptions
{
    public bool Enabled { get; set; } = true;

    /// <summary>The setting behind <see cref="Enabled"/>, for the log.</summary>
    public string Setting { get; set; } = "";
}
