using Npgsql;

namespace KeycloakCreditBridge.Hosting;

/// <summary>Keeps a lease while work is done under it. Losing it cancels <see cref="Lost"/>: another owner may do the work now.</summary>
internal sealed class HeldLease : IAsyncDisposable
{
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan RenewEvery = TimeSpan.FromSeconds(5);

    private readonly LeaseStore _leases;
    private readonly TimeProvider _clock;
    private readonly string _name;
    private readonly CancellationTokenSource _lost = new();
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _renewing;
    private DateTimeOffset _heldUntil;

    private HeldLease(LeaseStore leases, TimeProvider clock, string name, string owner, DateTimeOffset heldUntil)
    {
        (_leases, _clock, _name, _heldUntil) = (leases, clock, name, heldUntil);
        Owner = owner;
        _renewing = RenewAsync();
    }

    /// <summary>The owner: this process and this piece of its work.</summary>
    public string Owner { get; }

    public CancellationToken Lost => _lost.Token;

    /// <summary>Takes the lease; null when another owner holds it.</summary>
    public static async Task<HeldLease?> TakeAsync(LeaseStore leases, TimeProvider clock, string name, CancellationToken cancellationToken)
    {
        var owner = LeaseStore.NewOwner();
        var heldUntil = clock.GetUtcNow() + Duration;
        return await leases.TakeAsync(name, owner, Duration, cancellationToken)
            ? new HeldLease(leases, clock, name, owner, heldUntil)
            : null;
    }

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await _renewing;
        try
        {
            await _leases.ReleaseAsync(_name, Owner, CancellationToken.None);
        }
        catch (NpgsqlException)
        {
            // It expires by itself.
        }

        _lost.Dispose();
        _ended.Dispose();
    }

    private async Task RenewAsync()
    {
        try
        {
            using var timer = new PeriodicTimer(RenewEvery, _clock);
            while (await timer.WaitForNextTickAsync(_ended.Token))
            {
                if (await TryRenewAsync())
                    continue;
                await _lost.CancelAsync();
                return;
            }
        }
        catch (OperationCanceledException) when (_ended.IsCancellationRequested)
        {
            // The work is over.
        }
    }

    private async Task<bool> TryRenewAsync()
    {
        var now = _clock.GetUtcNow();
        try
        {
            if (!await _leases.TakeAsync(_name, Owner, Duration, _ended.Token))
                return false;
            _heldUntil = now + Duration;
            return true;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // While the database does not answer, no other owner gets the lease before it expires.
            return _clock.GetUtcNow() < _heldUntil - RenewEvery;
        }
    }
}
