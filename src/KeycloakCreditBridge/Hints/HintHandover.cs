using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Hints;

/// <summary>
/// Hints that this process stored for its own worker: held from the start, they need no claim, which would write each of them once more. At
/// most half a batch waits here, and only for a worker that is about to be free; all others are stored for any replica to claim.
/// </summary>
internal sealed class HintHandover(IOptions<HintOptions> options, TimeProvider clock)
{
    // Longer than this, another replica may be the sooner one.
    private static readonly TimeSpan ShortWait = TimeSpan.FromMilliseconds(50);

    private readonly Lock _gate = new();
    private readonly Dictionary<(string Realm, string KeycloakId), (ClaimedHint Hint, DateTimeOffset LeaseEnd)> _waiting = [];
    private bool _isOpen;
    private bool _isWorking;
    private bool _wasFull;
    private long _workingSince;

    /// <summary>A worker takes the hints that are handed over from now on.</summary>
    public void Open()
    {
        lock (_gate)
            _isOpen = true;
    }

    /// <summary>The worker takes no more hints. Returns those that still wait.</summary>
    public IReadOnlyList<ClaimedHint> Close()
    {
        lock (_gate)
        {
            _isOpen = false;
            return Drain(DateTimeOffset.MinValue);
        }
    }

    /// <summary>Whether so many more hints may be stored as held.</summary>
    public bool HasRoom(int count)
    {
        lock (_gate)
        {
            var hasRoom = _isOpen && _waiting.Count + count <= options.Value.BatchSize / 2
                && !(_isWorking && clock.GetElapsedTime(_workingSince) > ShortWait);
            _wasFull |= !hasRoom;
            return hasRoom;
        }
    }

    /// <summary>Hands over what was stored as held. Of several hints of one user the last counts: it has fenced off those before.</summary>
    public void Add(IReadOnlyList<ClaimedHint> held, DateTimeOffset leaseEnd)
    {
        lock (_gate)
        {
            foreach (var hint in held)
                _waiting[(hint.Realm, hint.KeycloakId)] = (hint, leaseEnd);
        }
    }

    /// <summary>Gives the worker the waiting hints, and whether others were stored meanwhile that it has to claim.</summary>
    public (IReadOnlyList<ClaimedHint> Hints, bool AreMore) Take()
    {
        lock (_gate)
        {
            (_isWorking, _workingSince) = (true, clock.GetTimestamp());
            var areMore = _wasFull;
            _wasFull = false;
            // A hint that waited for most of its lease could be another worker's before it is completed: it is due again when the lease
            // ends.
            return (Drain(clock.GetUtcNow() + (options.Value.Lease * 0.75)), areMore);
        }
    }

    /// <summary>The worker waits for something to do.</summary>
    public void Idle()
    {
        lock (_gate)
            _isWorking = false;
    }

    private List<ClaimedHint> Drain(DateTimeOffset leasedUntil)
    {
        List<ClaimedHint> hints = [.. _waiting.Values.Where(held => held.LeaseEnd >= leasedUntil).Select(held => held.Hint)];
        _waiting.Clear();
        return hints;
    }
}
