using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Storage.Sessions;

namespace KeycloakCreditBridge.Provisioning.Awards;

/// <summary>Has users evaluated again when a time came that a grant waits for, and ends holds that were not decided in time.</summary>
internal sealed partial class ScheduledEvaluations(
    ScheduledEvaluationStore store, HoldBook holds, SchemaGate gate, HintSignal signal, TimeProvider clock,
    ILogger<ScheduledEvaluations> logger)
    : BackgroundService
{
    private const int MostAtOnce = 500;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await gate.WaitAsync(stoppingToken);
        await new BackgroundLoop(clock, LongestPause, Failed).RunAsync(
            async token => await HintAsync(token) == MostAtOnce | await holds.LapseAsync(token) == HoldBook.MostAtOnce,
            token => Task.Delay(Pause, clock, token), stoppingToken);

        void Failed(Exception exception, bool isNew)
        {
            if (isNew)
                LogInterrupted(PrivilegeErrors.Describe(exception));
        }
    }

    /// <summary>How many times came.</summary>
    internal async Task<int> HintAsync(CancellationToken cancellationToken)
    {
        var hinted = await store.HintAsync(clock.GetUtcNow(), MostAtOnce, cancellationToken);
        if (hinted > 0)
            signal.Raise();
        return hinted;
    }

    [LoggerMessage(EventId = 427, Level = LogLevel.Warning,
        Message = "Grants that wait for a time are not evaluated, which is repeated within a minute: {Reason}")]
    private partial void LogInterrupted(string reason);
}
