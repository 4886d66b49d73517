using System.Net.Http.Headers;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Configuration.Secrets;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.ClientKeys;
using KeycloakCreditBridge.Keycloak.Connections;
using KeycloakCreditBridge.Keycloak.Database;
using KeycloakCreditBridge.Keycloak.Events;
using KeycloakCreditBridge.Keycloak.Tokens;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace KeycloakCreditBridge.Keycloak;

/// <summary>Registers what reads and changes Keycloak.</summary>
internal static class KeycloakModule
{
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(2);

    public static void AddKeycloak(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        builder.AddSection<KeycloakOptions, KeycloakOptionsValidator>(KeycloakOptions.Section);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<SecretRotation>();

        services.AddHttpClient(KeycloakOptions.HttpClientName, Configure)
            .ConfigurePrimaryHttpMessageHandler(NewHandler)
            .AddHttpMessageHandler(() => new CutConnectionHandler())
            .SetHandlerLifetime(Timeout.InfiniteTimeSpan)
            .RemoveAllLoggers();

        services.AddSingleton<ClientProof>();
        services.AddSingleton<PossessionProofs>();
        services.AddSingleton<TokenEndpoint>();
        services.AddSingleton<TokenSource>();
        services.AddSingleton<LoginTokens>();
        services.AddSingleton<RealmKeys>();
        services.AddSingleton<RealmTokens>();
        services.AddSingleton<AdminTransport>();
        services.AddSingleton<CapabilityProbe>();
        services.AddSingleton<KeycloakClient>();
        services.AddSingleton<KeycloakEvents>();

        services.AddHostedService<TransportCheck>();
        services.AddSingleton<KeycloakDatabase>();
        services.AddSingleton<KeycloakDatabaseStore>();
        services.AddHostedService<KeycloakDatabaseCheck>();
    }

    private static void Configure(HttpClient client)
    {
        client.Timeout = Timeout.InfiniteTimeSpan;
        client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("KeycloakCreditBridge", ProductVersion.Text));
    }

    /// <summary>
    /// Connections end after a while so that a changed address is noticed. A redirect is never Keycloak's answer here, and following one
    /// would send the secret to its target.
    /// </summary>
    private static SocketsHttpHandler NewHandler() => new()
    {
        PooledConnectionLifetime = ConnectionLifetime,
        AllowAutoRedirect = false,
        UseCookies = false,
        Proxy = EncryptedOnlyProxy.OfEnvironment(),
    };
}
