using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Hints;

/// <summary>Stores hints durably; callers that wait at the same time share one commit.</summary>
internal sealed class HintWriter(
    HintStore store, HintHandover handover, HintSignal signal, IOptions<HintOptions> options, TimeProvider clock) : IDisposable
{
    private const int MaxBatch = 5_000;

    private readonly GroupCommit<UserHint> _commits = new(MaxBatch);

    /// <summary>Returns when the hints are committed; throws when they are not, or when that is not known.</summary>
    /// <exception cref="NpgsqlException">The database did not confirm the commit: to be repeated, repeating is harmless.</exception>
    public Task WriteAsync(IReadOnlyCollection<UserHint> hints, CancellationToken cancellationToken) =>
        WriteTracedAsync(Traced(hints), cancellationToken);

    /// <summary>The same for hints that carry the traces that they came in with.</summary>
    public Task WriteTracedAsync(IReadOnlyCollection<UserHint> hints, CancellationToken cancellationToken) =>
        hints.Count == 0 ? Task.CompletedTask : _commits.WriteAsync(hints, StoreAsync, cancellationToken);

    public void Dispose() => _commits.Dispose();

    /// <summary>What several hints of one user say together.</summary>
    // A change does not hide that the user was overwritten: the users that it replaced are found only because of that. Nor does it hide a
    // first read or a deletion, after which a missing user is a deleted one.
    public static UserHint Strongest(IEnumerable<UserHint> ofOneUser) => ofOneUser.Aggregate((last, next) =>
        next.Kind == HintKind.Seen ? last
        : next is { Kind: HintKind.Changed, Cause: not HintCauses.Overwritten } && StayingCause(last) is { } cause
            ? next with { Cause = cause }
        : next);

    // Here, as the commit is shared by callers of many traces.
    private static IReadOnlyCollection<UserHint> Traced(IReadOnlyCollection<UserHint> hints) =>
        Spans.CurrentParent is { } parent ? [.. hints.Select(hint => hint with { Traceparent = parent })] : hints;

    private async Task StoreAsync(IReadOnlyList<UserHint> hints)
    {
        var now = clock.GetUtcNow();
        UserHint[] coalesced = [.. hints.GroupBy(hint => (hint.Realm, hint.UserId)).Select(Strongest)];
        DateTimeOffset? leaseEnd = handover.HasRoom(coalesced.Length) ? now + options.Value.Lease : null;
        var stored = await store.AddAsync(coalesced, now, now - options.Value.RecheckAfter, leaseEnd, CancellationToken.None);
        if (stored.Count == 0)
            return;
        if (leaseEnd is { } held)
            handover.Add(stored, held);
        signal.Raise();
    }

    private static string? StayingCause(UserHint hint) => hint switch
    {
        { Cause: HintCauses.Overwritten or HintCauses.FirstRead or HintCauses.ReportedDeleted } => hint.Cause,
        { Kind: HintKind.Deleted } => HintCauses.ReportedDeleted,
        _ => null,
    };
}
