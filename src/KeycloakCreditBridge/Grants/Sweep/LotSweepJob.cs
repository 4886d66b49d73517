using KeycloakCreditBridge.Grants.Notices;
using Quartz;

namespace KeycloakCreditBridge.Grants.Sweep;

/// <summary>Sweeps ended credits and tells of ends to come, in one replica at a time.</summary>
[DisallowConcurrentExecution]
internal sealed class LotSweepJob(LotSweep sweep, GrantNotices notices, IHostApplicationLifetime lifetime) : IJob
{
    public static readonly JobKey Key = new("sweep", "grants");

    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        try
        {
            await sweep.RunAsync(either.Token);
            await notices.RunAsync(either.Token);
        }
        catch (OperationCanceledException) when (either.IsCancellationRequested)
        {
            // What was swept is committed, and the rest stays due.
        }
    }
}
