using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Schedule;
using Microsoft.Extensions.Options;
using Quartz;

namespace KeycloakCreditBridge.Hosting;

/// <summary>
/// Runs Quartz's scheduler once the schema is ready. Quartz's own hosted service would end the host when PostgreSQL is down at its
/// start, and would keep the HTTP server closed until then.
/// </summary>
internal sealed partial class QuartzHost(
    ISchedulerFactory schedulers,
    ReconciliationSchedule schedule,
    SchemaGate gate,
    IOptions<ReconciliationOptions> options,
    TimeProvider clock,
    ILogger<QuartzHost> logger) : BackgroundService
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);

    private readonly TaskCompletionSource<IScheduler> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends when the schedule runs; never where <see cref="ReconciliationOptions.Enabled"/> is false.</summary>
    public Task<IScheduler> WaitAsync(CancellationToken cancellationToken) => _started.Task.WaitAsync(cancellationToken);

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (!_started.Task.IsCompletedSuccessfully)
            return;
        try
        {
            // Jobs end after the page at hand. One that waits for a PostgreSQL that hangs must not hold up the end: its run is continued.
            await (await _started.Task).Shutdown(waitForJobsToComplete: true, cancellationToken).AsTask().WaitAsync(cancellationToken);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            LogNotShutDown(exception.Message);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!options.Value.Enabled)
        {
            LogDisabled();
            return;
        }

        await gate.WaitAsync(stoppingToken);
        string? reported = null;
        while (true)
        {
            try
            {
                var scheduler = await schedulers.GetScheduler(stoppingToken);
                await schedule.ApplyAsync(scheduler, stoppingToken);
                await scheduler.Start(stoppingToken);
                LogStarted(options.Value.Cron, options.Value.CompleteCron);
                _started.SetResult(scheduler);
                return;
            }
            catch (SchedulerException) when (stoppingToken.IsCancellationRequested)
            {
                // Quartz wraps the cancellation of what it was at.
                return;
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                var reason = exception.GetBaseException().Message.ReplaceLineEndings(" ");
                if (reason != reported)
                    LogWaiting(reason);
                reported = reason;
                await Task.Delay(RetryAfter, clock, stoppingToken);
            }
        }
    }

    [LoggerMessage(EventId = 520, Level = LogLevel.Information, Message = "Realms are reconciled by schedule (UTC): by counts {Cron}, completely {CompleteCron}.")]
    private partial void LogStarted(string cron, string completeCron);

    [LoggerMessage(EventId = 521, Level = LogLevel.Information,
        Message = "Reconciliation:Enabled is false: this replica reconciles only by command.")]
    private partial void LogDisabled();

    [LoggerMessage(EventId = 522, Level = LogLevel.Warning, Message = "The schedule cannot be started yet, will try again: {Reason}")]
    private partial void LogWaiting(string reason);

    [LoggerMessage(EventId = 523, Level = LogLevel.Warning, Message = "The schedule was left before it had ended: {Reason}")]
    private partial void LogNotShutDown(string reason);
}
