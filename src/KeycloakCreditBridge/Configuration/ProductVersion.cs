using System.Reflection;

namespace KeycloakCreditBridge.Configuration;

/// <summary>Which build this is: what `--version`, the User-Agent towards Keycloak and the OpenAPI document say.</summary>
internal static class ProductVersion
{
    /// <summary>The version as the tags of the repository give it, with the commit where it is known, such as 1.2.0+0f3c2a1.</summary>
    public static string Text { get; } =
        typeof(ProductVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
}
