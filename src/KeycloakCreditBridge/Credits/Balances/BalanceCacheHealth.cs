using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace KeycloakCreditBridge.Credits.Balances;

/// <summary>Always healthy, as the cache only saves work. Its data says when the cache is off.</summary>
internal sealed class BalanceCacheHealth(BalanceCache cache) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(HealthCheckResult.Healthy(
            cache.IsListening ? null : "is not listening for changes: each balance is read from the database"));
}
