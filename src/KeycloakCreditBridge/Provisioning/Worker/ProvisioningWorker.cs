using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Provisioning.Worker;

/// <summary>
/// Works through the hints: claims what is due, reads Keycloak, converges the accounts and completes the hints with them.
/// </summary>
internal sealed partial class ProvisioningWorker(
    HintStore hints,
    HintHandover handover,
    HintSignal signal,
    HintEvaluator evaluator,
    HintCompletion completion,
    ProvisioningMetrics metrics,
    SchemaGate gate,
    IOptions<HintOptions> options,
    IOptions<KeycloakOptions> keycloak,
    TimeProvider clock,
    ILogger<ProvisioningWorker> logger) : BackgroundService
{
    private static readonly TimeSpan IdleInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromSeconds(15);

    private readonly string[] _watched = [.. keycloak.Value.Realms.Select(realm => realm.Name)];
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
                LogInterrupted(exception, PrivilegeErrors.Describe(exception));
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
            // Unclaimed hints are claimed every second too while this process has enough of its own.
            if (claimed.Count == 0 || areMore || _areMoreDue || clock.GetElapsedTime(_claimedAt) >= IdleInterval)
                claimed = await ClaimAsync(claimed, cancellationToken);
            if (claimed.Count == 0)
                return 0;
            var evaluations = await evaluator.EvaluateAsync(claimed, cancellationToken);
            Report(evaluations);
            await CompleteAsync(claimed, evaluations);
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
        var claimed = await hints.ClaimAsync(
            options.Value.BatchSize - held.Count, now, now + options.Value.Lease, _watched, cancellationToken);
        (_claimedAt, _areMoreDue) = (clock.GetTimestamp(), claimed.Count == options.Value.BatchSize - held.Count);
        // Of a user with a newer hint the claimed one counts.
        return held.Count == 0
            ? claimed
            : [.. held.Concat(claimed).GroupBy(hint => (hint.Realm, hint.KeycloakId)).Select(ofOneUser => ofOneUser.Last())];
    }

    // Evaluated users are written even when the host stops: it takes milliseconds, and otherwise waits for the lease to end.
    private async Task CompleteAsync(IReadOnlyList<ClaimedHint> claimed, HintEvaluations evaluations)
    {
        var byUser = claimed.ToDictionary(hint => (hint.Realm, hint.KeycloakId));
        var result = await completion.ConvergeAsync(byUser, evaluations.DesiredStates);
        List<PostponedHint> postponed = [
            .. evaluations.Postponed,
            .. result.Refusals
                .Select(refusal => evaluator.Fail(byUser[(refusal.DesiredState.Realm, refusal.DesiredState.KeycloakId)], refusal.Reason))];
        if (postponed.Count == 0)
            return;
        await hints.PostponeAsync(postponed, CancellationToken.None);
        foreach (var item in postponed.Where(item => item.Dead))
        {
            metrics.HintDeadLettered();
            using var about = logger.About(item.Hint.Realm, item.Hint.KeycloakId, item.Hint.Traceparent);
            LogDeadLettered(item.Hint.Realm, item.Hint.KeycloakId, item.Attempts, item.Error);
        }
    }

    // A stop or an unreachable database says nothing about these users. A hint that is not released is due when the lease ends.
    private async Task TryReleaseAsync(IReadOnlyList<ClaimedHint> claimed)
    {
        if (claimed.Count == 0)
            return;
        try
        {
            await hints.PostponeAsync([.. claimed.Select(evaluator.Release)], CancellationToken.None);
        }
        catch (NpgsqlException exception)
        {
            LogNotReleased(claimed.Count, exception.Message);
        }
    }

    // Once when an outage begins and once when it ends, however many hints it delays.
    private void Report(HintEvaluations evaluations)
    {
        foreach (var (realm, reason) in evaluations.Outages)
        {
            if (_unreachable.Add(realm))
                LogRealmUnreachable(realm, reason);
        }

        foreach (var realm in evaluations.DesiredStates.Select(state => state.Realm).Distinct())
        {
            if (!evaluations.Outages.ContainsKey(realm) && _unreachable.Remove(realm))
                LogRealmReachable(realm);
        }
    }

    [LoggerMessage(EventId = 410, Level = LogLevel.Error, Message = "Provisioning is interrupted and resumes by itself: {Reason}")]
    private partial void LogInterrupted(Exception exception, string reason);

    [LoggerMessage(EventId = 411, Level = LogLevel.Information, Message = "Provisioning resumed.")]
    private partial void LogRecovered();

    [LoggerMessage(EventId = 415, Level = LogLevel.Debug,
        Message = "{Count} hints could not be released and are due when their lease ends: {Reason}")]
    private partial void LogNotReleased(int count, string reason);

    [LoggerMessage(EventId = 412, Level = LogLevel.Warning,
        Message = "Hints of realm {Realm} are postponed until Keycloak answers: {Reason}")]
    private partial void LogRealmUnreachable(string realm, string reason);

    [LoggerMessage(EventId = 413, Level = LogLevel.Information, Message = "Keycloak answers for realm {Realm} again.")]
    private partial void LogRealmReachable(string realm);

    [LoggerMessage(EventId = 414, Level = LogLevel.Error,
        Message = "The hint of user {KeycloakId} of realm {Realm} is dead after {Attempts} attempts; retry it with hints retry: {Reason}")]
    private partial void LogDeadLettered(string realm, string keycloakId, int attempts, string reason);
}
