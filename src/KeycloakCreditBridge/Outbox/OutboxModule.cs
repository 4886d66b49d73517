using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Outbox.Reading;
using KeycloakCreditBridge.Outbox.Recording;

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
    }
}
