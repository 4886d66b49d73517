using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace KeycloakCreditBridge.Operations;

/// <summary>Healthy when the bridge has a token of a realm, or can get one.</summary>
internal sealed class KeycloakHealth(TokenSource tokens, string realm) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await tokens.GetAsync(realm, cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (KeycloakException exception)
        {
            return HealthCheckResult.Unhealthy(exception.Message);
        }
    }
}
