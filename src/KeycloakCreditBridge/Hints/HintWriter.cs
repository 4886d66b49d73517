using System.Collections.Concurrent;
using KeycloakCreditBridge.Storage;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Hints;

/// <summary>
/// Stores hints durably. Callers that wait at the same time share one commit: whoever gets the gate writes for all, so load raises
/// the size of a batch and not the number of commits.
/// </summary>
internal sealed class HintWriter(
    HintStore store, HintHandover handover, HintSignal signal, IOptions<HintOptions> options, TimeProvider clock) : IDisposable
{
    private const int MaxBatch = 5_000;

    private readonly ConcurrentQueue<Pending> _waiting = new();
    private readonly SemaphoreSlim _gate = new(1, 1);

    /// <summary>Returns when the hints are committed; throws when they are not, or when nobody knows.</summary>
    /// <exception cref="NpgsqlException">The database did not confirm the commit: to be repeated, repeating is harmless.</exception>
    public async Task WriteAsync(IReadOnlyCollection<UserHint> hints, CancellationToken cancellationToken)
    {
        if (hints.Count == 0)
            return;
        var mine = new Pending(hints);
        _waiting.Enqueue(mine);
        await _gate.WaitAsync(cancellationToken);
        try
        {
            // Another caller may have written mine; a batch has a limit, so mine may also need more than one.
            while (!mine.Written.Task.IsCompleted)
                await WriteBatchAsync();
        }
        finally
        {
            _gate.Release();
        }

        await mine.Written.Task;
    }

    public void Dispose() => _gate.Dispose();

    private async Task WriteBatchAsync()
    {
        List<Pending> batch = [];
        for (var count = 0; count < MaxBatch && _waiting.TryDequeue(out var next); count += next.Hints.Count)
            batch.Add(next);
        try
        {
            await StoreAsync(batch.SelectMany(pending => pending.Hints));
            batch.ForEach(pending => pending.Written.SetResult());
        }
        catch (PostgresException exception) when (batch.Count > 1 && PostgresErrors.IsCausedByData(exception))
        {
            foreach (var pending in batch)
                await WriteAloneAsync(pending);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            batch.ForEach(pending => pending.Written.SetException(exception));
        }
        finally
        {
            // Whatever happened, nobody waits for an answer that never comes.
            batch.ForEach(pending => pending.Written.TrySetException(new InvalidOperationException("The hint was not stored.")));
        }
    }

    private async Task WriteAloneAsync(Pending pending)
    {
        try
        {
            await StoreAsync(pending.Hints);
            pending.Written.SetResult();
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            pending.Written.SetException(exception);
        }
    }

    // Not cancelled by any one caller, as it writes for several.
    private async Task StoreAsync(IEnumerable<UserHint> hints)
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

    private static UserHint Strongest(IEnumerable<UserHint> ofOneUser) =>
        ofOneUser.Aggregate((last, next) => next.Kind == HintKind.Seen ? last : next);

    private sealed record Pending(IReadOnlyCollection<UserHint> Hints)
    {
        public TaskCompletionSource Written { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
