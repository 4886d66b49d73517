using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Policy;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Provisioning.Worker;

/// <summary>Works through the hints: claims what is due, asks Keycloak, converges the accounts, settles the hints with them.</summary>
internal sealed partial class ProvisioningWorker(
    HintStore hints,
    HintHandover handover,
    HintSignal signal,
    HintEvaluator judge,
    Provisioner provisioner,
    ProvisioningMetrics metrics,
    SchemaGate gate,
    IOptions<HintOptions> options,
    TimeProvider clock,
    ILogger<ProvisioningWorker> logger) : BackgroundService
{
    private static readonly TimeSpan IdleInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromSeconds(15);

    private readonly HashSet<string> _unreachable = new(StringComparer.Ordinal);
    private long _claimedAt;
    private bool _areMoreDue;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await gate.WaitAsync(stoppingToken);
        handover.Open();
        try
        {
            await WorkOnAsync(stoppingToken);
        }
        finally
        {
            await TryReleaseAsync(handover.Close());
        }
    }

    private Task WorkOnAsync(CancellationToken stoppingToken)
    {
        var loop = new BackgroundLoop(clock, MaxRetryDelay, Failed, LogRecovered);
        return loop.RunAsync(async token => await WorkAsync(token) > 0, IdleAsync, stoppingToken);

        void Failed(Exception exception, bool isNew)
        {
            if (isNew)
                LogInterrupted(exception, exception.Message);
        }

        Task IdleAsync(CancellationToken cancellationToken)
        {
            handover.Idle();
            return signal.WaitAsync(IdleInterval, cancellationToken);
        }
    }

    /// <summary>Works through one batch and returns how many hints it took.</summary>
    internal async Task<int> WorkAsync(CancellationToken cancellationToken)
    {
        var (claimed, areMore) = handover.Take();
        try
        {
            // Hints that nobody holds are looked for each second too while this process has enough of its own.
            if (claimed.Count == 0 || areMore || _areMoreDue || clock.GetElapsedTime(_claimedAt) >= IdleInterval)
                claimed = await ClaimAsync(claimed, cancellationToken);
            if (claimed.Count == 0)
                return 0;
            var verdicts = await judge.EvaluateAsync(claimed, cancellationToken);
            Report(verdicts);
            await CompleteAsync(claimed, verdicts);
            return claimed.Count;
        }
        catch (Exception exception) when (exception is OperationCanceledException or NpgsqlException)
        {
            await TryReleaseAsync(claimed);
            throw;
        }
    }

    private async Task<IReadOnlyList<ClaimedHint>> ClaimAsync(IReadOnlyList<ClaimedHint> held, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var claimed = await hints.ClaimAsync(options.Value.BatchSize - held.Count, now, now + options.Value.Lease, cancellationToken);
        (_claimedAt, _areMoreDue) = (clock.GetTimestamp(), claimed.Count == options.Value.BatchSize - held.Count);
        // Of somebody of whom a hint came since, the claim is the one that stands.
        return held.Count == 0 ? claimed : [.. held.Concat(claimed).GroupBy(hint => (hint.Realm, hint.KeycloakId)).Select(ofOneUser => ofOneUser.Last())];
    }

    // What was judged is written even when the host is stopping: it takes milliseconds, and otherwise waits for the lease to end.
    private async Task CompleteAsync(IReadOnlyList<ClaimedHint> claimed, HintEvaluations verdicts)
    {
        var result = await provisioner.ConvergeAsync(verdicts.DesiredStates, CancellationToken.None);
        var settledAt = clock.GetUtcNow();
        var byUser = claimed.ToDictionary(hint => (hint.Realm, hint.KeycloakId));
        List<PostponedHint> postponed = [
            .. verdicts.Postponed,
            .. result.Refusals.Select(refusal => judge.Fail(byUser[(refusal.DesiredState.Realm, refusal.DesiredState.KeycloakId)], refusal.Reason))];
        foreach (var judgement in verdicts.DesiredStates)
            metrics.HintCompleted(settledAt - byUser[(judgement.Realm, judgement.KeycloakId)].HintedAt);
        if (postponed.Count == 0)
            return;
        await hints.PostponeAsync(postponed, CancellationToken.None);
        foreach (var item in postponed.Where(item => item.Dead))
        {
            metrics.HintDeadLettered();
            LogDeadLettered(item.Hint.Realm, item.Hint.KeycloakId, item.Attempts, item.Error);
        }
    }

    // A stop or a database that is away says nothing about these users. What is not given back is due again when the lease ends.
    private async Task TryReleaseAsync(IReadOnlyList<ClaimedHint> claimed)
    {
        if (claimed.Count == 0)
            return;
        try
        {
            await hints.PostponeAsync([.. claimed.Select(judge.Release)], CancellationToken.None);
        }
        catch (NpgsqlException exception)
        {
            LogNotReleased(claimed.Count, exception.Message);
        }
    }

    // Once when it begins and once when it ends, however many hints meet it.
    private void Report(HintEvaluations verdicts)
    {
        foreach (var (realm, reason) in verdicts.Outages)
        {
            if (_unreachable.Add(realm))
                LogRealmUnreachable(realm, reason);
        }

        foreach (var realm in verdicts.DesiredStates.Select(judgement => judgement.Realm).Distinct())
        {
            if (!verdicts.Outages.ContainsKey(realm) && _unreachable.Remove(realm))
                LogRealmReachable(realm);
        }
    }

    [LoggerMessage(EventId = 410, Level = LogLevel.Error, Message = "Provisioning is interrupted and goes on by itself: {Reason}")]
    private partial void LogInterrupted(Exception exception, string reason);

    [LoggerMessage(EventId = 411, Level = LogLevel.Information, Message = "Provisioning goes on.")]
    private partial void LogRecovered();

    [LoggerMessage(EventId = 415, Level = LogLevel.Debug, Message = "{Count} hints wait for the end of their lease: {Reason}")]
    private partial void LogNotReleased(int count, string reason);

    [LoggerMessage(EventId = 412, Level = LogLevel.Warning, Message = "Hints of realm {Realm} wait: {Reason}")]
    private partial void LogRealmUnreachable(string realm, string reason);

    [LoggerMessage(EventId = 413, Level = LogLevel.Information, Message = "Realm {Realm} can be asked again.")]
    private partial void LogRealmReachable(string realm);

    [LoggerMessage(EventId = 414, Level = LogLevel.Error,
        Message = "Gave up on user {KeycloakId} of realm {Realm} after {Attempts} tries: {Reason}")]
    private partial void LogDeadLettered(string realm, string keycloakId, int attempts, string reason);
}
