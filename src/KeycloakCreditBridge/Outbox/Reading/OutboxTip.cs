namespace KeycloakCreditBridge.Outbox.Reading;

/// <summary>
/// Up to which place all events are known. Places are given before their transactions commit, so a later place may be seen before an
/// earlier one. Reading only to here, in the order of places, misses none and keeps the order of each account: what changes an account
/// has it locked from before the place is given until the commit.
/// </summary>
internal sealed class OutboxTip(OutboxStore store)
{
    private (long Last, long Fence)? _waiting;

    /// <summary>The last known place.</summary>
    public long Last { get; private set; }

    /// <summary>Moves to the last place whose earlier ones no open transaction may still fill, and returns it.</summary>
    public async Task<long> AdvanceAsync(CancellationToken cancellationToken)
    {
        if (_waiting is { } waiting && await store.OldestOpenAsync(cancellationToken) < waiting.Fence)
            return Last;
        if (_waiting is { } passed)
        {
            _waiting = null;
            return Last = passed.Last;
        }

        var (last, fence) = await store.FenceAsync(Last, cancellationToken);
        if (fence == 0)
            Last = last;
        else
            _waiting = (last, fence);
        return Last;
    }
}
