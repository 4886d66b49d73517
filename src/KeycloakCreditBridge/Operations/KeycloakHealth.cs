using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace KeycloakCreditBridge.Operations;

/// <summary>Healthy when the bridge can sign in to a realm and read what it needs there.</summary>
internal sealed class KeycloakHealth(KeycloakClient client, string realm) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await client.CheckAccessAsync(realm, cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (KeycloakException exception)
        {
            return HealthCheckResult.Unhealthy(exception.Message);
        }
    }
}
