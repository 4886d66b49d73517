using KeycloakCreditBridge.Api;
using KeycloakCreditBridge.Api.Description;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Intake.Deliveries.Recording;
using KeycloakCreditBridge.Intake.Deliveries.Review;

namespace KeycloakCreditBridge.Intake.Deliveries;

internal static class DeliveriesModule
{
    public static void AddDeliveries(this IHostApplicationBuilder builder)
    {
        builder.AddSection<DeliveriesOptions, DeliveriesOptionsValidator>(DeliveriesOptions.Section);
        builder.Services.AddSingleton<DeliveryStore>();
        builder.Services.AddSingleton<DeliveryListStore>();
        builder.Services.AddSingleton<UnprovenCounts>();
        builder.Services.AddSingleton<DeliveryRecorder>();
        builder.Services.AddSingleton<DeliveryWriter>();
        builder.Services.AddHostedService(services => services.GetRequiredService<DeliveryWriter>());
        builder.Services.AddHostedService<DeliveryPurge>();
        builder.Services.AddSingleton<DeliveryReplay>();
        builder.Services.AddSingleton<DeliveryEndpoints>();
    }

    /// <summary>The routes of deliveries. An administrator of a realm sees those of that realm.</summary>
    public static void MapDeliveries(this WebApplication app)
    {
        var deliveries = app.MapApiGroup().MapGroup("/admin/deliveries").WithTags("Deliveries").RequireToken(CallerRoles.Admin);
        deliveries.MapGet("", (HttpContext context, DeliveryEndpoints endpoints) => endpoints.ListAsync(context))
            .Answers<DeliveryView[]>(
                "listDeliveries", "What came in and what came of it, newest first.", "limit", "cursor", "outcome", "user_id", "since")
            .AnswersHeader(StatusCodes.Status200OK, DeliveryEndpoints.NextCursor, "The cursor of the next page; the last page has none.");
        deliveries.MapGet("/unproven", (HttpContext context, DeliveryEndpoints endpoints) => endpoints.UnprovenAsync(context))
            .Answers<UnprovenView[]>(
                "listUnprovenDeliveries", "Requests whose sender proved nothing, counted by minute and reason, newest first.", "limit");
        deliveries.MapGet("/{id:guid}", (HttpContext context, Guid id, DeliveryEndpoints endpoints) => endpoints.ShowAsync(context, id))
            .Answers<DeliveryView>("getDelivery", "A delivery, with the body if it was refused.");
        deliveries.MapPost(
                "/{id:guid}/replay", (HttpContext context, Guid id, DeliveryEndpoints endpoints) => endpoints.ReplayAsync(context, id))
            .Answers<DeliveryView>("replayDelivery", "Has the delivery's user read from Keycloak again.")
            .AnswersProblems(StatusCodes.Status409Conflict);
    }
}
