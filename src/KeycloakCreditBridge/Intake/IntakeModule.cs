using KeycloakCreditBridge.Api.Rates;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Intake.Polling;
using KeycloakCreditBridge.Intake.Webhooks;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Intake;

internal static class IntakeModule
{
    /// <summary>Where Keycloak's plugins deliver. The second path is the one of existing installations.</summary>
    public static readonly string[] WebhookPaths = ["/webhooks/keycloak", "/api/v1/webhooks/keycloak/user-created"];

    public static void AddIntake(this IHostApplicationBuilder builder)
    {
        builder.AddSection<IntakeOptions, IntakeOptionsValidator>(IntakeOptions.Section);
        builder.Services.AddSingleton<IValidateOptions<KeycloakOptions>, WebhookSettingsValidator>();
        foreach (var path in WebhookPaths)
            builder.Services.AddSingleton(new MachinePath(path));
        builder.Services.AddSingleton<IntakeMetrics>();
        builder.Services.AddSingleton<RefusalLog>();
        builder.Services.AddSingleton<WebhookAuthenticator>();
        builder.Services.AddSingleton<WebhookEndpoint>();
        builder.Services.AddSingleton<PollCursorStore>();
        builder.Services.AddSingleton<PollStatus>();
        builder.Services.AddSingleton<LostEventsSignal>();
        builder.Services.AddSingleton<EventLossReporter>();
        builder.Services.AddHostedService<EventPoller>();
    }

    public static void MapIntake(this IEndpointRouteBuilder app)
    {
        if (!app.ServiceProvider.GetRequiredService<IOptions<IntakeOptions>>().Value.Webhook.Enabled)
            return;
        foreach (var path in WebhookPaths)
        {
            app.MapPost(path, (HttpContext context, WebhookEndpoint endpoint) => endpoint.ReceiveAsync(context, null));
            app.MapPost(
                $"{path}/{{realm}}", (string realm, HttpContext context, WebhookEndpoint endpoint) =>
                    endpoint.ReceiveAsync(context, realm));
        }
    }
}
