using System.Collections.Concurrent;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Provisioning.Awards;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Subjects;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Provisioning.Worker;

/// <summary>Turns claimed hints into desired states by reading each user from Keycloak as it is now.</summary>
internal sealed class HintEvaluator(
    SubjectReader reader, DatabaseSubjectReader stored, Hot<GrantPolicy> policies, IOptions<HintOptions> options, TimeProvider clock,
    EvidenceNeeds? needs = null)
{
    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan MaxConsistencyDelay = TimeSpan.FromSeconds(30);

    // Consecutive outages by realm. An unreachable realm delays its own hints and no other realm's.
    private readonly ConcurrentDictionary<string, int> _outages = new(StringComparer.Ordinal);

    /// <summary>Evaluates what can be read now; the rest is postponed, or dead.</summary>
    public async Task<HintEvaluations> EvaluateAsync(IReadOnlyList<ClaimedHint> hints, CancellationToken cancellationToken)
    {
        var desired = new ConcurrentBag<DesiredState>();
        var postponed = new ConcurrentBag<PostponedHint>();
        var failed = new ConcurrentBag<FailedRead>();
        var answered = new ConcurrentDictionary<string, DateTimeOffset>(StringComparer.Ordinal);
        var down = new ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        // A read that starts later could end after the lease, when another worker has the hint.
        var lastStart = clock.GetUtcNow() + ReadTimeout;
        var policy = policies.Current;
        var batch = await stored.ReadAsync(policy, hints, cancellationToken);
        var needed = needs is null ? null : await needs.OfAsync(policy, hints, cancellationToken);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = options.Value.Readers, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(hints, parallel, async (hint, token) =>
        {
            if (down.TryGetValue(hint.Realm, out var reason))
            {
                postponed.Add(RetryAfterOutage(hint, reason));
                return;
            }

            var begun = clock.GetUtcNow();
            if (begun > lastStart)
            {
                postponed.Add(Release(hint));
                return;
            }

            using var span = Spans.StartIn(
                hint.Traceparent, "evaluate user", ("credits.realm", hint.Realm), ("enduser.id", hint.KeycloakId));
            try
            {
                var evidence = needed?.GetValueOrDefault((hint.Realm, hint.KeycloakId));
                if (await EvaluateAsync(policy, hint, batch, evidence, token) is { } state)
                    desired.Add(state with { Traceparent = hint.Traceparent });
                else
                    postponed.Add(RetryUntilConsistent(hint));
                if (!batch.TryGet(hint.Realm, hint.KeycloakId, out _))
                    answered[hint.Realm] = clock.GetUtcNow();
                _outages.TryRemove(hint.Realm, out _);
            }
            catch (KeycloakException exception) when (exception is KeycloakAuthenticationException or KeycloakForbiddenException)
            {
                MarkUnavailable(down, hint.Realm, exception.Message);
                postponed.Add(RetryAfterOutage(hint, exception.Message));
            }
            catch (KeycloakException exception) when (exception is not KeycloakOtherIdException)
            {
                failed.Add(new FailedRead(hint, begun, exception.Message));
                // The failure took long: the others do not wait for the same.
                if (exception is KeycloakUnavailableException && !IsAnswered(begun, hint.Realm))
                    MarkUnavailable(down, hint.Realm, exception.Message);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                // Any other failure counts for this hint alone: thrown, it would stop every batch that the hint is in.
                postponed.Add(Fail(hint, exception.Message));
            }
        });
        foreach (var ofRealm in failed.GroupBy(read => read.Hint.Realm, StringComparer.Ordinal))
        {
            var isUp = ofRealm.All(read => IsAnswered(read.Begun, ofRealm.Key))
                || await AnswersAsync(policy, ofRealm.Key, cancellationToken);
            if (!isUp)
                MarkUnavailable(down, ofRealm.Key, ofRealm.First().Reason);
            else if (down.TryRemove(ofRealm.Key, out _))
                _outages.TryRemove(ofRealm.Key, out _);
            foreach (var read in ofRealm)
            {
                var isOwn = isUp || IsAnswered(read.Begun, ofRealm.Key);
                postponed.Add(isOwn ? Fail(read.Hint, read.Reason) : RetryAfterOutage(read.Hint, read.Reason));
            }
        }

        return new HintEvaluations([.. desired], [.. postponed], down);

        bool IsAnswered(DateTimeOffset begun, string realm) => answered.TryGetValue(realm, out var last) && last >= begun;
    }

    /// <summary>
    /// Evaluates what Keycloak answers in time, and nothing twice. What is missing in the result is for the worker, which reports and
    /// repeats what fails.
    /// </summary>
    /// <param name="hints">One a user.</param>
    /// <param name="within">When no answer is waited for any more.</param>
    public async Task<PromptEvaluations> EvaluateAsync(IReadOnlyList<ClaimedHint> hints, TimeSpan within)
    {
        using var deadline = new CancellationTokenSource(within, clock);
        var desired = new ConcurrentBag<DesiredState>();
        var answers = 0;
        try
        {
            var policy = policies.Current;
            var batch = await stored.ReadAsync(policy, hints, deadline.Token);
            var needed = needs is null ? null : await needs.OfAsync(policy, hints, deadline.Token);
            var parallel = new ParallelOptions { MaxDegreeOfParallelism = options.Value.Readers, CancellationToken = deadline.Token };
            await Parallel.ForEachAsync(hints, parallel, async (hint, token) =>
            {
                using var span = Spans.StartIn(
                    hint.Traceparent, "evaluate user", ("credits.realm", hint.Realm), ("enduser.id", hint.KeycloakId));
                try
                {
                    var evidence = needed?.GetValueOrDefault((hint.Realm, hint.KeycloakId));
                    if (await EvaluateAsync(policy, hint, batch, evidence, token) is { } state)
                        desired.Add(state with { Traceparent = hint.Traceparent });
                    Interlocked.Increment(ref answers);
                }
                catch (KeycloakException exception)
                {
                    if (exception is not (KeycloakUnavailableException or KeycloakAuthenticationException or KeycloakForbiddenException))
                        Interlocked.Increment(ref answers);
                }
            });
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested)
        {
            // What was evaluated until then counts.
        }

        return new PromptEvaluations([.. desired], Volatile.Read(ref answers) > 0);
    }

    /// <summary>Counts a failed attempt: the hint is postponed, or dead after the last one.</summary>
    public PostponedHint Fail(ClaimedHint hint, string error) =>
        new(
            hint, clock.GetUtcNow() + RetryDelay.After(hint.Attempts, MaxRetryDelay), hint.Attempts,
            hint.Attempts >= options.Value.MaxAttempts, error);

    /// <summary>Gives the hint to the next worker at once, as if it had never been claimed.</summary>
    public PostponedHint Release(ClaimedHint hint) =>
        new(hint, clock.GetUtcNow(), hint.Attempts - 1, Dead: false, "Released without an attempt.");

    // Half of the lease for a read, the other half to begin and to complete: one user that hangs delays the others no longer than that.
    private TimeSpan ReadTimeout => options.Value.Lease / 2;

    private async Task<Subject?> ReadAsync(
        GrantPolicy policy, string realm, string userId, NeededEvidence? evidence, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(ReadTimeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await reader.ReadAsync(policy, realm, userId, either.Token, evidence);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new KeycloakUnavailableException(
                realm,
                $"Keycloak did not answer for a user of realm '{realm}' within {ReadTimeout}, half of {HintOptions.Section}:Lease: "
                + "check its load and its user federation.",
                exception);
        }
    }

    // A failure for one user is no outage, and an outage is no user's fault.
    private async Task<bool> AnswersAsync(GrantPolicy policy, string realm, CancellationToken cancellationToken)
    {
        try
        {
            await ReadAsync(policy, realm, $"{Guid.NewGuid()}", NeededEvidence.Nothing, cancellationToken);
            return true;
        }
        catch (KeycloakException)
        {
            return false;
        }
    }

    private void MarkUnavailable(ConcurrentDictionary<string, string> down, string realm, string reason)
    {
        if (down.TryAdd(realm, reason))
            _outages.AddOrUpdate(realm, 1, (_, count) => count + 1);
    }

    private async Task<DesiredState?> EvaluateAsync(
        GrantPolicy policy, ClaimedHint hint, SubjectBatch batch, NeededEvidence? evidence, CancellationToken cancellationToken)
    {
        var isRead = batch.TryGet(hint.Realm, hint.KeycloakId, out var found);
        var readAt = isRead ? batch.ReadAt : clock.GetUtcNow();
        var isLate = readAt - hint.HintedAt >= options.Value.MissingGrace;
        // Reported as deleted and still there: some senders report before the transaction that deletes commits.
        if ((isRead ? found : await ReadAsync(policy, hint.Realm, hint.KeycloakId, evidence, cancellationToken)) is { } subject)
            return hint.Kind != HintKind.Deleted || isLate ? Evaluate(policy, hint, subject, readAt) : null;
        var isReported = hint.Kind == HintKind.Deleted || hint.Cause == HintCauses.ReportedDeleted;
        // A first read saw the user, or a token of the user: a missing one is deleted and not yet to come.
        return isReported || isLate || hint.Cause == HintCauses.FirstRead
            // Any other hint of an unknown user may name what was never a user: a gateway stores what its callers say.
            ? policy.EvaluateDeleted(hint.Realm, hint.KeycloakId, readAt, hint.Source, hint.Version) with
            {
                LeavesRecord = isReported,
            }
            : null;
    }

    private static DesiredState Evaluate(GrantPolicy policy, ClaimedHint hint, Subject subject, DateTimeOffset readAt)
    {
        var state = policy.Evaluate(subject, readAt, hint.Source, hint.Version);
        return state.Grants is { } grants ? state with { Grants = grants with { SeenAt = hint.HintedAt } } : state;
    }

    // An unreachable Keycloak says nothing about the user: such an attempt is not counted.
    private PostponedHint RetryAfterOutage(ClaimedHint hint, string reason)
    {
        var delay = RetryDelay.After(_outages.GetValueOrDefault(hint.Realm, 1), MaxConsistencyDelay);
        return new(hint, clock.GetUtcNow() + delay, hint.Attempts - 1, Dead: false, reason);
    }

    // Some senders report a user before its transaction commits: soon at first, then with longer pauses.
    private PostponedHint RetryUntilConsistent(ClaimedHint hint) => new(
        hint,
        clock.GetUtcNow() + RetryDelay.After(hint.Attempts, MaxConsistencyDelay),
        Math.Min(hint.Attempts, options.Value.MaxAttempts - 1),
        Dead: false,
        hint.Kind == HintKind.Deleted ? "Keycloak still has the user." : "Keycloak does not have the user (yet).");

    private sealed record FailedRead(ClaimedHint Hint, DateTimeOffset Begun, string Reason);
}

/// <param name="DesiredStates">Users that could be evaluated.</param>
/// <param name="Postponed">Hints to be postponed or released.</param>
/// <param name="Outages">Unreachable realms, each with the reason.</param>
internal sealed record HintEvaluations(
    IReadOnlyList<DesiredState> DesiredStates, IReadOnlyList<PostponedHint> Postponed, IReadOnlyDictionary<string, string> Outages);
