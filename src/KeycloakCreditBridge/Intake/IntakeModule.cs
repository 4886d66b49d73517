using System.Text.Json.Nodes;
using KeycloakCreditBridge.Api.Description;
using KeycloakCreditBridge.Api.Rates;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Intake.Broker;
using KeycloakCreditBridge.Intake.Deliveries;
using KeycloakCreditBridge.Intake.Polling;
using KeycloakCreditBridge.Intake.Webhooks;
using KeycloakCreditBridge.Intake.Webhooks.Formats;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Intake;

internal static class IntakeModule
{
    /// <summary>Where Keycloak's plugins deliver. The second path is the one of existing installations.</summary>
    public static readonly string[] WebhookPaths = ["/webhooks/keycloak", "/api/v1/webhooks/keycloak/user-created"];

    public static void AddIntake(this IHostApplicationBuilder builder)
    {
        builder.AddSection<IntakeOptions, IntakeOptionsValidator>(IntakeOptions.Section);
        builder.AddRule<KeycloakOptions, WebhookSettingsValidator>();
        foreach (var path in WebhookPaths)
            builder.Services.AddSingleton(new MachinePath(path));
        builder.Services.AddInstruments<IntakeMetrics>();
        builder.Services.AddSingleton<RefusalLog>();
        builder.Services.AddSingleton<WebhookAuthenticator>();
        builder.Services.AddSingleton<WebhookEndpoint>();
        builder.Services.AddSingleton<PollCursorStore>();
        builder.Services.AddInstruments<PollStatus>();
        builder.Services.AddSingleton<LostEventsSignal>();
        builder.Services.AddSingleton<EventLossReporter>();
        builder.Services.AddHostedService<EventPoller>();
        builder.AddRule<IntakeOptions, BrokerSettingsValidator>();
        builder.Services.AddInstruments<BrokerMetrics>();
        builder.Services.AddHostedService<BrokerIntake>();
        builder.Services.AddHostedService<BrokerGauge>();
        builder.AddDeliveries();
    }

    public static void MapIntake(this IEndpointRouteBuilder app)
    {
        if (!app.ServiceProvider.GetRequiredService<IOptions<IntakeOptions>>().Value.Webhook.Enabled)
            return;
        foreach (var (path, name) in WebhookPaths.Zip(["receiveEvent", "receiveUserCreated"]))
        {
            Describe(app.MapPost(path, (HttpContext context, WebhookEndpoint endpoint) => endpoint.ReceiveAsync(context, null)), name);
            Describe(
                app.MapPost(
                    $"{path}/{{realm}}", (string realm, HttpContext context, WebhookEndpoint endpoint) =>
                        endpoint.ReceiveAsync(context, realm)),
                $"{name}OfRealm");
        }
    }

    private static void Describe(RouteHandlerBuilder route, string name) => route
        .Named(name, "Takes an event of Keycloak. The realm's WebhookAuthentication says how the sender proves itself.")
        .WithTags("Webhooks")
        .TakesBody<JsonObject>("application/json", CloudEvent.MediaType)
        .Produces(StatusCodes.Status204NoContent)
        .AnswersProblems(400, 401, 404, 408, 413, 415, 429, 503);
}
