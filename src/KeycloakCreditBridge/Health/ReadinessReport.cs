using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace KeycloakCreditBridge.Health;

/// <summary>
/// Whether the bridge can work, checked once for all who ask. Any program that reaches the port may ask, and a check takes a connection to
/// the database: one check runs at a time, and its answer holds for a second.
/// </summary>
internal sealed class ReadinessReport(HealthCheckService checks, TimeProvider clock)
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private Task<HealthReport>? _report;
    private long _begun;

    public Task<HealthReport> ReadAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_report is null || (_report.IsCompleted && clock.GetElapsedTime(_begun) >= Lifetime))
            {
                _begun = clock.GetTimestamp();
                // Callers that disconnect do not end the check of the others.
                _report = Task.Run(() => checks.CheckHealthAsync(CancellationToken.None), CancellationToken.None);
            }

            return _report.WaitAsync(cancellationToken);
        }
    }
}
