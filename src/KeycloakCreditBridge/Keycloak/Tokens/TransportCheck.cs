using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Keycloak.Tokens;

/// <summary>Warns when the client's secret and tokens leave the machine unencrypted.</summary>
internal sealed partial class TransportCheck(IOptions<KeycloakOptions> options, ILogger<TransportCheck> logger) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.Value.IsUnencrypted)
            LogUnencrypted(new Uri(options.Value.Url).Authority);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(
        EventId = 131, Level = LogLevel.Warning,
        Message = "Keycloak:Url is http and leads to {Server}: the client's secret, tokens and users travel unencrypted. Use https, "
            + "unless Keycloak and the bridge share a network with no other program.")]
    private partial void LogUnencrypted(string server);
}
