using KeycloakCreditBridge.Configuration.Reload;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace KeycloakCreditBridge.Health.Checks;

/// <summary>Degraded while changed settings are refused. The bridge works on with those before, so it stays ready.</summary>
internal sealed class SettingsHealth(SettingsReload reload) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(reload.Status.Problem is { } problem
            ? HealthCheckResult.Degraded($"changed settings are refused: {problem}")
            : HealthCheckResult.Healthy());
}
