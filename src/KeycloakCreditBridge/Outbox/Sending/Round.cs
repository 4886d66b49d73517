using System.Collections.Concurrent;
using KeycloakCreditBridge.Outbox.Endpoints;

namespace KeycloakCreditBridge.Outbox.Sending;

/// <summary>
/// Sends some events, several requests at a time. Events of an account are in one lane and so in their order; after one that was not taken,
/// the rest of its account is left. An endpoint that takes nothing is left after a few requests.
/// </summary>
internal sealed class Round(EndpointClient client, int lanes, int batch)
{
    private const int FailuresWithoutSuccess = 5;

    private readonly ConcurrentDictionary<long, SendResult> _results = [];
    private int _taken;
    private int _refused;

    /// <summary>Requests that the endpoint took.</summary>
    public int Taken => _taken;

    /// <summary>Requests that it did not take.</summary>
    public int Refused => _refused;

    /// <summary>What came of the events that were sent, by their places.</summary>
    public IReadOnlyDictionary<long, SendResult> Results => _results;

    /// <exception cref="OperationCanceledException">The lease was lost, or the process stops.</exception>
    public Task SendAsync(IEnumerable<DueEvent> events, CancellationToken cancellationToken) => Task.WhenAll(events
        .GroupBy(due => (uint)StringComparer.Ordinal.GetHashCode(due.AccountId) % (uint)lanes)
        .Select(lane => SendLaneAsync([.. lane], cancellationToken)));

    private async Task SendLaneAsync(List<DueEvent> lane, CancellationToken cancellationToken)
    {
        HashSet<string> stopped = new(StringComparer.Ordinal);
        for (var from = 0; from < lane.Count;)
        {
            List<DueEvent> next = [];
            for (; from < lane.Count && next.Count < batch; from++)
            {
                if (!stopped.Contains(lane[from].AccountId))
                    next.Add(lane[from]);
            }

            if (next.Count == 0 || (_taken == 0 && _refused >= FailuresWithoutSuccess))
                return;
            cancellationToken.ThrowIfCancellationRequested();
            var result = await client.SendAsync([.. next.Select(due => due.Event)], cancellationToken);
            foreach (var due in next)
                _results[due.Seq] = result;
            if (result.Error is null)
            {
                Interlocked.Increment(ref _taken);
                continue;
            }

            Interlocked.Increment(ref _refused);
            stopped.UnionWith(next.Select(due => due.AccountId));
            if (result.IsEnd)
                return;
        }
    }
}
