using KeycloakCreditBridge.Hosting;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace KeycloakCreditBridge.Health.Checks;

/// <summary>Healthy while the schedule runs here, or this replica runs none.</summary>
internal sealed class ScheduleHealth(QuartzHost quartz) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(quartz.Problem is { } problem ? HealthCheckResult.Unhealthy(problem) : HealthCheckResult.Healthy());
}
