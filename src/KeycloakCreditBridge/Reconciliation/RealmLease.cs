using KeycloakCreditBridge.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Reconciliation;

/// <summary>Keeps a lease while work is done under it. Losing it cancels <see cref="Lost"/>: the work stops, for another may do it now.</summary>
internal sealed class RealmLease : IAsyncDisposable
{
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan RenewEvery = TimeSpan.FromSeconds(10);

    private readonly LeaseStore leases;
    private readonly TimeProvider clock;
    private readonly string name;
    private readonly CancellationTokenSource lost = new();
    private readonly CancellationTokenSource ended = new();
    private readonly Task renewing;
    private DateTimeOffset heldUntil;

    private RealmLease(LeaseStore leases, TimeProvider clock, string name, string owner, DateTimeOffset heldUntil)
    {
        (this.leases, this.clock, this.name, this.heldUntil) = (leases, clock, name, heldUntil);
        Owner = owner;
        renewing = RenewAsync();
    }

    /// <summary>Who holds it: this process and this piece of its work.</summary>
    public string Owner { get; }

    public CancellationToken Lost => lost.Token;

    /// <summary>Takes the lease for a realm's reconciliation; null when another holds it.</summary>
    public static async Task<RealmLease?> TakeAsync(LeaseStore leases, TimeProvider clock, string realm, CancellationToken cancellationToken)
    {
        var name = $"reconcile:{realm}";
        var owner = $"{Environment.MachineName}/{Environment.ProcessId}/{Guid.NewGuid():N}";
        var heldUntil = clock.GetUtcNow() + Duration;
        return await leases.TakeAsync(name, owner, Duration, cancellationToken) ? new RealmLease(leases, clock, name, owner, heldUntil) : null;
    }

    public async ValueTask DisposeAsync()
    {
        await ended.CancelAsync();
        await renewing;
        try
        {
            await leases.ReleaseAsync(name, Owner, CancellationToken.None);
        }
        catch (NpgsqlException)
        {
            // It runs out by itself.
        }

        lost.Dispose();
        ended.Dispose();
    }

    private async Task RenewAsync()
    {
        try
        {
            using var timer = new PeriodicTimer(RenewEvery, clock);
            while (await timer.WaitForNextTickAsync(ended.Token))
            {
                if (await StillMineAsync())
                    continue;
                await lost.CancelAsync();
                return;
            }
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // The work is over.
        }
    }

    private async Task<bool> StillMineAsync()
    {
        var now = clock.GetUtcNow();
        try
        {
            if (!await leases.TakeAsync(name, Owner, Duration, ended.Token))
                return false;
            heldUntil = now + Duration;
            return true;
        }
        catch (NpgsqlException)
        {
            // A database that does not answer takes the lease from nobody before it runs out.
            return clock.GetUtcNow() < heldUntil - RenewEvery;
        }
    }
}
