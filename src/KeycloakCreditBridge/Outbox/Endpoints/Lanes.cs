namespace KeycloakCreditBridge.Outbox.Endpoints;

/// <summary>
/// Sends some events over HTTP, several requests at a time. Events of an account are in one lane and so in their order; after one that was
/// not taken, the rest of its account is left. An endpoint that takes nothing is left after a few requests.
/// </summary>
internal sealed class Lanes(EndpointClient client, int lanes, int batch)
{
    private const int FailuresWithoutSuccess = 5;

    private readonly Round _round = new();

    /// <exception cref="OperationCanceledException">The lease was lost, or the process stops.</exception>
    public async Task<Round> SendAsync(IEnumerable<OutboxEvent> events, CancellationToken cancellationToken)
    {
        await Task.WhenAll(events
            .GroupBy(told => (uint)StringComparer.Ordinal.GetHashCode(told.AccountId) % (uint)lanes)
            .Select(lane => SendLaneAsync([.. lane], cancellationToken)));
        return _round;
    }

    private async Task SendLaneAsync(List<OutboxEvent> lane, CancellationToken cancellationToken)
    {
        HashSet<string> stopped = new(StringComparer.Ordinal);
        for (var from = 0; from < lane.Count;)
        {
            List<OutboxEvent> next = [];
            for (; from < lane.Count && next.Count < batch; from++)
            {
                if (!stopped.Contains(lane[from].AccountId))
                    next.Add(lane[from]);
            }

            if (next.Count == 0 || (_round.Taken == 0 && _round.Refused >= FailuresWithoutSuccess))
                return;
            cancellationToken.ThrowIfCancellationRequested();
            var result = await client.SendAsync(next, cancellationToken);
            _round.Add(next, result);
            if (result.Error is null)
                continue;
            stopped.UnionWith(next.Select(told => told.AccountId));
            if (result.IsEnd)
                return;
        }
    }
}
