namespace KeycloakCreditBridge.Api.Requests;

/// <summary>
/// Bounds the memory of bodies that are being read. When it is used up the longest one gives way, so that short bodies are read while
/// many long ones are held open.
/// </summary>
/// <param name="bytes">What all bodies together may hold.</param>
internal sealed class BodyBudget(long bytes)
{
    private readonly Lock _gate = new();
    private readonly HashSet<Share> _shares = [];
    private long _held;

    /// <summary>Begins a body, which holds nothing yet.</summary>
    public Share Begin() => new(this);

    private void Grow(Share share, int by)
    {
        List<Share> givingWay = [];
        lock (_gate)
        {
            _shares.Add(share);
            share.Held += by;
            _held += by;
            while (_held > bytes && _shares.MaxBy(other => other.Held) is { Held: > 0 } longest)
            {
                Release(longest);
                givingWay.Add(longest);
            }
        }

        foreach (var other in givingWay)
            other.GiveWay();
    }

    private void End(Share share)
    {
        lock (_gate)
            Release(share);
    }

    private void Release(Share share)
    {
        _held -= share.Held;
        share.Held = 0;
        _shares.Remove(share);
    }

    /// <summary>What one body holds of the budget.</summary>
    internal sealed class Share(BodyBudget budget) : IDisposable
    {
        private readonly CancellationTokenSource _givesWay = new();

        /// <summary>Cancelled when the body has to give way.</summary>
        public CancellationToken GivesWay => _givesWay.Token;

        /// <summary>Guarded by the budget.</summary>
        public long Held { get; set; }

        public void Grow(int by) => budget.Grow(this, by);

        public void GiveWay()
        {
            try
            {
                _givesWay.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // Its body was read meanwhile.
            }
        }

        public void Dispose()
        {
            budget.End(this);
            _givesWay.Dispose();
        }
    }
}
