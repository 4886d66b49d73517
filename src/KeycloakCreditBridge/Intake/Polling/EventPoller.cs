using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Intake.Polling;

/// <summary>Runs a poller for every configured realm, side by side: a realm that is slow or broken delays no other.</summary>
internal sealed class EventPoller(
    IServiceProvider services, SchemaGate gate, IOptions<KeycloakOptions> keycloak, IOptions<IntakeOptions> intake) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!intake.Value.Poll.Enabled)
            return;
        await gate.WaitAsync(stoppingToken);
        await Task.WhenAll(keycloak.Value.Realms.Select(realm =>
            ActivatorUtilities.CreateInstance<RealmPoller>(services, realm.Name).RunAsync(stoppingToken)));
    }
}
