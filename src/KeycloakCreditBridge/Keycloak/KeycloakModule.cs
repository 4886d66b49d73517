namespace KeycloakCreditBridge.Keycloak;

/// <summary>Registers <see cref="KeycloakClient"/> and what it needs.</summary>
internal static class KeycloakModule
{
    public static void AddKeycloak(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<KeycloakOptions>().BindConfiguration(KeycloakOptions.Section).ValidateOnStart();
        builder.Services.AddSingleton<KeycloakClient>();
    }
}
