using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Cli.Arguments;

/// <summary>The realms that a command means.</summary>
internal static class ConfiguredRealms
{
    /// <summary>The named one, or all configured ones.</summary>
    /// <exception cref="ConfigurationException">The named one is not configured.</exception>
    public static string[] Of(IServiceProvider services, string? realm)
    {
        string[] configured = [.. services.GetRequiredService<IOptions<KeycloakOptions>>().Value.Realms.Select(item => item.Name)];
        if (realm is null)
            return configured;
        return configured.Contains(realm, StringComparer.Ordinal)
            ? [realm]
            : throw new ConfigurationException(
                [$"--realm {realm} is not configured: Keycloak:Realms has {string.Join(", ", configured)}."]);
    }
}
