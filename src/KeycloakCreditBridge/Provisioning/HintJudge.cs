using System.Collections.Concurrent;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Provisioning;

/// <summary>Turns claimed hints into judgements by asking Keycloak for each user as it is now.</summary>
internal sealed class HintJudge(
    SubjectReader reader, StoredSubjects stored, GrantPolicy policy, IOptions<HintOptions> options, TimeProvider clock)
{
    private static readonly TimeSpan LongestRetry = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan LongestMissingRetry = TimeSpan.FromSeconds(30);

    // Consecutive outages by realm. A realm that cannot be asked delays its own hints and no other realm's.
    private readonly ConcurrentDictionary<string, int> _outages = new(StringComparer.Ordinal);

    /// <summary>Judges what can be judged now; the rest is to be tried later, or is dead.</summary>
    public async Task<HintVerdicts> JudgeAsync(IReadOnlyList<ClaimedHint> hints, CancellationToken cancellationToken)
    {
        var judgements = new ConcurrentBag<Judgement>();
        var postponed = new ConcurrentBag<PostponedHint>();
        var down = new ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        var batch = await stored.ReadAsync(hints, cancellationToken);
        // What is not begun by then could be another worker's before it is settled.
        var lastStart = clock.GetUtcNow() + (options.Value.Lease / 2);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = options.Value.Readers, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(hints, parallel, async (hint, token) =>
        {
            if (down.TryGetValue(hint.Realm, out var reason))
            {
                postponed.Add(WaitOutOutage(hint, reason));
                return;
            }

            if (clock.GetUtcNow() > lastStart)
            {
                postponed.Add(GiveBack(hint));
                return;
            }

            try
            {
                if (await JudgeAsync(hint, batch, token) is { } judgement)
                    judgements.Add(judgement);
                else
                    postponed.Add(AwaitAppearance(hint));
                _outages.TryRemove(hint.Realm, out _);
            }
            catch (KeycloakException exception) when (IsOutage(exception))
            {
                if (down.TryAdd(hint.Realm, exception.Message))
                    _outages.AddOrUpdate(hint.Realm, 1, (_, count) => count + 1);
                postponed.Add(WaitOutOutage(hint, exception.Message));
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                // Whatever it is, it is this hint's: thrown on, it would hold up all others of every batch that the hint is in.
                postponed.Add(Fail(hint, exception.Message));
            }
        });
        return new HintVerdicts([.. judgements], [.. postponed], down);
    }

    /// <summary>Counts a failed try: again later, or never when it was the last one.</summary>
    public PostponedHint Fail(ClaimedHint hint, string error) =>
        new(hint, clock.GetUtcNow() + RetryDelay.After(hint.Attempts, LongestRetry), hint.Attempts, hint.Attempts >= options.Value.MaxAttempts, error);

    /// <summary>For the next worker at once, as if it had never been claimed.</summary>
    public PostponedHint GiveBack(ClaimedHint hint) => new(hint, clock.GetUtcNow(), hint.Attempts - 1, Dead: false, "Given back untried.");

    private async Task<Judgement?> JudgeAsync(ClaimedHint hint, SubjectBatch batch, CancellationToken cancellationToken)
    {
        var isRead = batch.TryGet(hint.Realm, hint.KeycloakId, out var found);
        var readAt = isRead ? batch.ReadAt : clock.GetUtcNow();
        var isLate = readAt - hint.HintedAt >= options.Value.MissingGrace;
        // Said to be deleted and still there: some senders report before the transaction commits, in which the user goes.
        if ((isRead ? found : await reader.ReadAsync(hint.Realm, hint.KeycloakId, cancellationToken)) is { } subject)
            return hint.Kind != HintKind.Deleted || isLate ? policy.Judge(subject, readAt, hint.Source, hint.Version) : null;
        return hint.Kind == HintKind.Deleted || isLate ? policy.JudgeGone(hint.Realm, hint.KeycloakId, readAt, hint.Source, hint.Version) : null;
    }

    // Keycloak out of reach says nothing about the user: such a try is not counted.
    private PostponedHint WaitOutOutage(ClaimedHint hint, string reason)
    {
        var delay = RetryDelay.After(_outages.GetValueOrDefault(hint.Realm, 1), LongestMissingRetry);
        return new(hint, clock.GetUtcNow() + delay, hint.Attempts - 1, Dead: false, reason);
    }

    // Some senders report a user before its transaction commits: soon at first, then more patiently.
    private PostponedHint AwaitAppearance(ClaimedHint hint) => new(
        hint,
        clock.GetUtcNow() + RetryDelay.After(hint.Attempts, LongestMissingRetry),
        Math.Min(hint.Attempts, options.Value.MaxAttempts - 1),
        Dead: false,
        hint.Kind == HintKind.Deleted ? "Keycloak still has the user." : "Keycloak does not know the user (yet).");

    private static bool IsOutage(KeycloakException exception) =>
        exception is KeycloakUnavailableException or KeycloakAuthenticationException or KeycloakForbiddenException;
}

/// <param name="Judgements">Users that could be judged.</param>
/// <param name="Postponed">Hints to be given back.</param>
/// <param name="Outages">Realms that could not be asked, each with the reason.</param>
internal sealed record HintVerdicts(
    IReadOnlyList<Judgement> Judgements, IReadOnlyList<PostponedHint> Postponed, IReadOnlyDictionary<string, string> Outages);
