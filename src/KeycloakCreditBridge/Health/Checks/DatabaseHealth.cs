using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace KeycloakCreditBridge.Health.Checks;

/// <summary>Healthy when the schema is ready and PostgreSQL answers now.</summary>
internal sealed class DatabaseHealth(SchemaGate gate, HealthStore store) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (!gate.IsOpen)
            return HealthCheckResult.Unhealthy(gate.Problem ?? "PostgreSQL was not reached yet");
        try
        {
            await store.PingAsync(cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            return HealthCheckResult.Unhealthy(PrivilegeErrors.Describe(exception).ReplaceLineEndings(" "));
        }
    }
}
