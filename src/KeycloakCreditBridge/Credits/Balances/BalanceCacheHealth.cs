using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace KeycloakCreditBridge.Credits.Balances;

/// <summary>Healthy also without the cache, which only spares the database work; it is said though.</summary>
internal sealed class BalanceCacheHealth(BalanceCache cache) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(HealthCheckResult.Healthy(cache.IsListening ? null : "does not hear of changes: each balance is read from the database"));
}
