using System.Collections.Concurrent;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Subjects;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Provisioning.Worker;

/// <summary>Turns claimed hints into judgements by asking Keycloak for each user as it is now.</summary>
internal sealed class HintEvaluator(
    SubjectReader reader, DatabaseSubjectReader stored, GrantPolicy policy, IOptions<HintOptions> options, TimeProvider clock)
{
    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan MaxConsistencyDelay = TimeSpan.FromSeconds(30);

    // Consecutive outages by realm. A realm that cannot be asked delays its own hints and no other realm's.
    private readonly ConcurrentDictionary<string, int> _outages = new(StringComparer.Ordinal);

    /// <summary>Judges what can be judged now; the rest is to be tried later, or is dead.</summary>
    public async Task<HintEvaluations> EvaluateAsync(IReadOnlyList<ClaimedHint> hints, CancellationToken cancellationToken)
    {
        var judgements = new ConcurrentBag<DesiredState>();
        var postponed = new ConcurrentBag<PostponedHint>();
        var failed = new ConcurrentBag<FailedRead>();
        var answered = new ConcurrentDictionary<string, DateTimeOffset>(StringComparer.Ordinal);
        var down = new ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        // What is not begun by then could be another worker's before it is settled.
        var lastStart = clock.GetUtcNow() + ReadTimeout;
        var batch = await stored.ReadAsync(hints, cancellationToken);
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

            try
            {
                if (await EvaluateAsync(hint, batch, token) is { } judgement)
                    judgements.Add(judgement);
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
                // It took long to find out: the others do not wait for the same.
                if (exception is KeycloakUnavailableException && !IsAnswered(begun, hint.Realm))
                    MarkUnavailable(down, hint.Realm, exception.Message);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                // Whatever it is, it is this hint's: thrown on, it would hold up all others of every batch that the hint is in.
                postponed.Add(Fail(hint, exception.Message));
            }
        });
        foreach (var ofRealm in failed.GroupBy(read => read.Hint.Realm, StringComparer.Ordinal))
        {
            var isUp = ofRealm.All(read => IsAnswered(read.Begun, ofRealm.Key)) || await AnswersAsync(ofRealm.Key, cancellationToken);
            if (!isUp)
                MarkUnavailable(down, ofRealm.Key, ofRealm.First().Reason);
            else if (down.TryRemove(ofRealm.Key, out _))
                _outages.TryRemove(ofRealm.Key, out _);
            foreach (var read in ofRealm)
                postponed.Add(isUp || IsAnswered(read.Begun, ofRealm.Key) ? Fail(read.Hint, read.Reason) : RetryAfterOutage(read.Hint, read.Reason));
        }

        return new HintEvaluations([.. judgements], [.. postponed], down);

        bool IsAnswered(DateTimeOffset begun, string realm) => answered.TryGetValue(realm, out var last) && last >= begun;
    }

    /// <summary>Counts a failed try: again later, or never when it was the last one.</summary>
    public PostponedHint Fail(ClaimedHint hint, string error) =>
        new(hint, clock.GetUtcNow() + RetryDelay.After(hint.Attempts, MaxRetryDelay), hint.Attempts, hint.Attempts >= options.Value.MaxAttempts, error);

    /// <summary>For the next worker at once, as if it had never been claimed.</summary>
    public PostponedHint Release(ClaimedHint hint) => new(hint, clock.GetUtcNow(), hint.Attempts - 1, Dead: false, "Given back untried.");

    // Half of the lease for a read, the other half to begin and to settle: one user that Keycloak cannot get hold of delays the others no longer.
    private TimeSpan ReadTimeout => options.Value.Lease / 2;

    private async Task<Subject?> ReadAsync(string realm, string userId, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(ReadTimeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await reader.ReadAsync(realm, userId, either.Token);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new KeycloakUnavailableException(
                realm,
                $"Keycloak did not answer for a user of realm '{realm}' within {ReadTimeout}, half of {HintOptions.Section}:Lease: look at its load and "
                + "its user federation.",
                exception);
        }
    }

    // One user that Keycloak fails for is no outage, and an outage is no user's fault.
    private async Task<bool> AnswersAsync(string realm, CancellationToken cancellationToken)
    {
        try
        {
            await ReadAsync(realm, $"{Guid.NewGuid()}", cancellationToken);
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

    private async Task<DesiredState?> EvaluateAsync(ClaimedHint hint, SubjectBatch batch, CancellationToken cancellationToken)
    {
        var isRead = batch.TryGet(hint.Realm, hint.KeycloakId, out var found);
        var readAt = isRead ? batch.ReadAt : clock.GetUtcNow();
        var isLate = readAt - hint.HintedAt >= options.Value.MissingGrace;
        // Said to be deleted and still there: some senders report before the transaction commits, in which the user goes.
        if ((isRead ? found : await ReadAsync(hint.Realm, hint.KeycloakId, cancellationToken)) is { } subject)
            return hint.Kind != HintKind.Deleted || isLate ? policy.Evaluate(subject, readAt, hint.Source, hint.Version) : null;
        return hint.Kind == HintKind.Deleted || isLate ? policy.EvaluateDeleted(hint.Realm, hint.KeycloakId, readAt, hint.Source, hint.Version) : null;
    }

    // Keycloak out of reach says nothing about the user: such a try is not counted.
    private PostponedHint RetryAfterOutage(ClaimedHint hint, string reason)
    {
        var delay = RetryDelay.After(_outages.GetValueOrDefault(hint.Realm, 1), MaxConsistencyDelay);
        return new(hint, clock.GetUtcNow() + delay, hint.Attempts - 1, Dead: false, reason);
    }

    // Some senders report a user before its transaction commits: soon at first, then more patiently.
    private PostponedHint RetryUntilConsistent(ClaimedHint hint) => new(
        hint,
        clock.GetUtcNow() + RetryDelay.After(hint.Attempts, MaxConsistencyDelay),
        Math.Min(hint.Attempts, options.Value.MaxAttempts - 1),
        Dead: false,
        hint.Kind == HintKind.Deleted ? "Keycloak still has the user." : "Keycloak does not know the user (yet).");

    private sealed record FailedRead(ClaimedHint Hint, DateTimeOffset Begun, string Reason);
}

/// <param name="DesiredStates">Users that could be judged.</param>
/// <param name="Postponed">Hints to be given back.</param>
/// <param name="Outages">Realms that could not be asked, each with the reason.</param>
internal sealed record HintEvaluations(
    IReadOnlyList<DesiredState> DesiredStates, IReadOnlyList<PostponedHint> Postponed, IReadOnlyDictionary<string, string> Outages);
