using Quartz;

namespace KeycloakCreditBridge.Grants.Sweep;

/// <summary>Sweeps ended credits, in one replica at a time.</summary>
[DisallowConcurrentExecution]
internal sealed class LotSweepJob(LotSweep sweep, IHostApplicationLifetime lifetime) : IJob
{
    public static readonly JobKey Key = new("sweep", "grants");

    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        try
        {
            await sweep.RunAsync(either.Token);
        }
        catch (OperationCanceledException) when (either.IsCancellationRequested)
        {
            // What was swept is committed, and the rest stays due.
        }
    }
}
