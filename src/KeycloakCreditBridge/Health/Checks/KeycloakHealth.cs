using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Tokens;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace KeycloakCreditBridge.Health.Checks;

/// <summary>Healthy when the bridge has a token of a realm, or can get one, and may read what it needs there.</summary>
internal sealed class KeycloakHealth(TokenSource tokens, AccessMonitor access, string realm) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await tokens.GetAsync(realm, cancellationToken);
            return access.ProblemOf(realm) is { } problem ? HealthCheckResult.Unhealthy(problem) : HealthCheckResult.Healthy();
        }
        catch (KeycloakException exception)
        {
            return HealthCheckResult.Unhealthy(exception.Message);
        }
    }
}
