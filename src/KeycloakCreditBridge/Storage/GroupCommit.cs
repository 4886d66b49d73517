using System.Collections.Concurrent;
using Npgsql;

namespace KeycloakCreditBridge.Storage;

/// <summary>
/// Lets callers that wait at the same time share one commit: the caller that enters the gate writes for all, so load raises the size of a
/// batch and not the number of commits. A batch that the database refuses for its data is written caller by caller, so that one fails
/// alone.
/// </summary>
/// <param name="maxBatch">A batch takes no further caller once it has so many items.</param>
internal sealed class GroupCommit<T>(int maxBatch) : IDisposable
{
    private readonly ConcurrentQueue<Pending> _waiting = new();
    private readonly SemaphoreSlim _gate = new(1, 1);

    /// <summary>Returns when the items are written; throws what writing them threw.</summary>
    /// <param name="items">The caller's items.</param>
    /// <param name="write">Writes a batch, the same way for every caller. No caller cancels it, as it writes for several.</param>
    /// <param name="cancellationToken">Ends the wait for the gate.</param>
    public async Task WriteAsync(IReadOnlyCollection<T> items, Func<IReadOnlyList<T>, Task> write, CancellationToken cancellationToken)
    {
        var mine = new Pending(items);
        _waiting.Enqueue(mine);
        await _gate.WaitAsync(cancellationToken);
        try
        {
            // Another caller may have written mine; a batch has a limit, so mine may also need more than one.
            while (!mine.Written.Task.IsCompleted)
                await WriteBatchAsync(write);
        }
        finally
        {
            _gate.Release();
        }

        await mine.Written.Task;
    }

    public void Dispose() => _gate.Dispose();

    private async Task WriteBatchAsync(Func<IReadOnlyList<T>, Task> write)
    {
        List<Pending> batch = [];
        for (var count = 0; count < maxBatch && _waiting.TryDequeue(out var next); count += next.Items.Count)
            batch.Add(next);
        try
        {
            await write([.. batch.SelectMany(pending => pending.Items)]);
            batch.ForEach(pending => pending.Written.SetResult());
        }
        catch (PostgresException exception) when (batch.Count > 1 && PostgresErrors.IsCausedByData(exception))
        {
            foreach (var pending in batch)
                await WriteAloneAsync(pending, write);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            batch.ForEach(pending => pending.Written.SetException(exception));
        }
        finally
        {
            // Whatever happened, no caller waits for an answer that never comes.
            batch.ForEach(pending => pending.Written.TrySetException(new InvalidOperationException("The batch was not written.")));
        }
    }

    private static async Task WriteAloneAsync(Pending pending, Func<IReadOnlyList<T>, Task> write)
    {
        try
        {
            await write([.. pending.Items]);
            pending.Written.SetResult();
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            pending.Written.SetException(exception);
        }
    }

    private sealed record Pending(IReadOnlyCollection<T> Items)
    {
        public TaskCompletionSource Written { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
