using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Outbox.Endpoints;
using KeycloakCreditBridge.Outbox.Reading;
using KeycloakCreditBridge.Outbox.Recording;
using KeycloakCreditBridge.Outbox.Sending;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Outbox;

internal static class OutboxModule
{
    public static void AddOutbox(this IHostApplicationBuilder builder)
    {
        builder.AddSection<OutboxOptions, OutboxOptionsValidator>(OutboxOptions.Section);
        builder.Services.AddSingleton<EventSwitchStore>();
        builder.Services.AddSingleton<EventSwitch>();
        builder.Services.AddHostedService(services => services.GetRequiredService<EventSwitch>());
        builder.Services.AddSingleton<OutboxStore>();
        builder.Services.AddSingleton<OutboxListStore>();
        builder.Services.AddHostedService<OutboxPurge>();
        builder.AddRule<OutboxOptions, EndpointValidator>();
        builder.Services.AddInstruments<OutboxMetrics>();
        builder.Services.AddSingleton<EndpointStore>();
        builder.Services.AddSingleton<ReplayStore>();
        builder.Services.AddHostedService<OutboxSender>();
        builder.Services.AddHostedService<EndpointGauge>();
    }
}
