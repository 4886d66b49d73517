using System.Diagnostics;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Storage.Sessions;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Provisioning.Worker;

/// <summary>
/// Converges the users of events before their senders are answered: one commit, where a hint that is stored needs two. Senders that wait at
/// the same time share a batch. A user whose account is not committed soon gets a hint, as does every event while Keycloak is slow or away.
/// </summary>
internal sealed partial class HintConverger(
    HintEvaluator evaluator, HintCompletion completion, NewerReadingStore readings, HintWriter writer, IOptions<HintOptions> options,
    TimeProvider clock, ILogger<HintConverger> logger) : IDisposable
{
    private const int MaxBatch = 200;

    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    // Long enough for a large batch that is read user by user, short enough that a broker's events do not wait for what hangs.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly GroupCommit<Waiting> _batches = new(MaxBatch);

    private long _pausedUntil;
    private int _failures;

    /// <summary>
    /// Returns when the account or the hint of the user is committed, and whether it is the account; throws when neither is, or when that
    /// is not known.
    /// </summary>
    /// <exception cref="NpgsqlException">The database did not confirm: to be repeated, repeating is harmless.</exception>
    public async Task<bool> TakeAsync(UserHint hint)
    {
        if (IsOpen && CanConverge(hint))
        {
            var waiting = new Waiting(hint with { Traceparent = Spans.CurrentParent }, clock.GetTimestamp());
            try
            {
                await _batches.WriteAsync([waiting], TakeAsync, CancellationToken.None)
                    .WaitAsync(options.Value.ConvergeWithin, clock, CancellationToken.None);
                return waiting.IsConverged;
            }
            catch (TimeoutException)
            {
                // Its batch goes on, or waits for one that does: for a lock, for example. The hint does not wait for the same.
                waiting.HasLeft = true;
                Pause();
            }
        }

        await writer.WriteAsync([hint], CancellationToken.None);
        return false;
    }

    /// <summary>The same for a batch of a sender that has time.</summary>
    /// <returns>The users whose accounts are committed; the others have hints.</returns>
    public async Task<IReadOnlySet<(string Realm, string UserId)>> TakeAsync(IReadOnlyCollection<UserHint> hints)
    {
        var trace = Spans.CurrentParent;
        Waiting[] batch = [.. hints.Select(hint => new Waiting(hint with { Traceparent = trace }, clock.GetTimestamp()))];
        Waiting[] prompt = [.. batch.Where(each => CanConverge(each.Hint))];
        if (IsOpen && prompt.Length > 0)
        {
            try
            {
                await TryConvergeAsync(prompt, Patience).WaitAsync(2 * Patience, clock, CancellationToken.None);
            }
            catch (TimeoutException)
            {
                Pause();
            }
        }

        var converged = batch.Where(each => each.IsConverged).Select(each => (each.Hint.Realm, each.Hint.UserId)).ToHashSet();
        await writer.WriteTracedAsync(
            [.. batch.Select(each => each.Hint).Where(hint => !converged.Contains((hint.Realm, hint.UserId)) || !CanConverge(hint))],
            CancellationToken.None);
        return converged;
    }

    public void Dispose() => _batches.Dispose();

    // Most logins are of users that were read lately, which the storing of hints sorts out. The storing also records which users replaced
    // others.
    private static bool CanConverge(UserHint hint) => hint is { Kind: not HintKind.Seen, Cause: not HintCauses.Overwritten };

    // Half of the wait in the queue, half for Keycloak.
    private TimeSpan Half => options.Value.ConvergeWithin / 2;

    private bool IsOpen => options.Value.ConvergeWithin > TimeSpan.Zero && clock.GetUtcNow().UtcTicks >= Volatile.Read(ref _pausedUntil);

    private async Task TakeAsync(IReadOnlyList<Waiting> batch)
    {
        Waiting[] prompt = [.. batch.Where(each => !each.IsDone && clock.GetElapsedTime(each.Since) <= Half)];
        if (IsOpen && prompt.Length > 0)
            await TryConvergeAsync(prompt, Half);
        await writer.WriteTracedAsync([.. batch.Where(each => !each.IsDone).Select(each => each.Hint)], CancellationToken.None);
    }

    private async Task TryConvergeAsync(Waiting[] batch, TimeSpan within)
    {
        var now = clock.GetUtcNow();
        var hints = batch.Select(each => each.Hint).GroupBy(hint => (hint.Realm, hint.UserId))
            .ToDictionary(ofOneUser => ofOneUser.Key, ofOneUser => ClaimedHint.Of(HintWriter.Strongest(ofOneUser), now));
        try
        {
            // The batch is no part of the trace of the sender who happens to carry it out.
            Activity.Current = null;
            var evaluations = await evaluator.EvaluateAsync([.. hints.Values], within);
            if (!evaluations.IsAnswered)
            {
                Pause();
                return;
            }

            var converged = await ConvergeAsync(hints, evaluations.DesiredStates);
            foreach (var each in batch)
                each.IsConverged = converged.Contains((each.Hint.Realm, each.Hint.UserId));
            _failures = 0;
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            // The hints tell it by the worker where they can be stored, and by an answer of 503 where they cannot.
            var reason = PrivilegeErrors.Describe(exception).ReplaceLineEndings(" ");
            LogNotConverged(hints.Count, reason);
            Pause();
        }
    }

    private async Task<HashSet<(string Realm, string KeycloakId)>> ConvergeAsync(
        Dictionary<(string Realm, string KeycloakId), ClaimedHint> hints, IReadOnlyList<DesiredState> states)
    {
        if (states.Count == 0)
            return [];
        var result = await completion.ConvergeAsync(hints, states);
        var converged = states.Select(KeyOf).ToHashSet();
        converged.ExceptWith(result.Refusals.Select(refusal => KeyOf(refusal.DesiredState)));
        // An older reading changes nothing, and by the clock of another replica the newer one may have missed this event.
        converged.ExceptWith(await readings.FindAsync(states, CancellationToken.None));
        return converged;
    }

    // One batch tries again after each pause, so that senders seldom wait for what does not answer.
    private void Pause()
    {
        // Those that waited together fail together.
        if (!IsOpen)
            return;
        var pause = RetryDelay.After(Interlocked.Increment(ref _failures), LongestPause);
        Volatile.Write(ref _pausedUntil, (clock.GetUtcNow() + pause).UtcTicks);
    }

    private static (string Realm, string KeycloakId) KeyOf(DesiredState state) => (state.Realm, state.KeycloakId);

    [LoggerMessage(EventId = 419, Level = LogLevel.Debug,
        Message = "{Count} users get hints, as their accounts are not converged: {Reason}")]
    private partial void LogNotConverged(int count, string reason);

    private sealed record Waiting(UserHint Hint, long Since)
    {
        public bool IsConverged { get; set; }

        /// <summary>Its sender waits no more, and stores the hint.</summary>
        public bool HasLeft { get; set; }

        public bool IsDone => IsConverged || HasLeft;
    }
}

/// <param name="DesiredStates">Users that could be evaluated in time.</param>
/// <param name="IsAnswered">Whether Keycloak answered for any user, if only that it does not have it.</param>
internal sealed record PromptEvaluations(IReadOnlyList<DesiredState> DesiredStates, bool IsAnswered);
