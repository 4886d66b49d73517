using System.Text.Json.Nodes;
using KeycloakCreditBridge.Api.Description;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Rates;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Credits.Lookup;
using KeycloakCreditBridge.Metering.Gate;
using KeycloakCreditBridge.Metering.Reports;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Metering;

internal static class MeteringModule
{
    private const string GatePath = "/beta/litellm_basic_guardrail_api";
    private const string MeterPath = "/usage/litellm";

    public static void AddMetering(this IHostApplicationBuilder builder)
    {
        builder.AddSection<MeteringOptions, MeteringOptionsValidator>(MeteringOptions.Section);
        foreach (var path in (string[])[GatePath, MeterPath, ForwardAuthEndpoint.Path])
            builder.Services.AddSingleton(new MachinePath(path));
        builder.Services.AddInstruments<MeteringMetrics>();
        builder.AddHot<Pricing>();
        builder.Services.AddSingleton<GateStore>();
        builder.Services.AddSingleton<NegativeCache>();
        builder.Services.AddSingleton<CreditGate>();
        builder.Services.AddSingleton<ForwardAuthEndpoint>();
        builder.Services.AddSingleton<GuardrailEndpoint>();
        builder.Services.AddSingleton<UsageReportStore>();
        builder.Services.AddSingleton<RefusalStore>();
        builder.Services.AddSingleton<MeterEndpoint>();
        builder.Services.AddHostedService<UsageWorker>();
        builder.Services.AddHostedService<RecordPurge>();
        builder.Services.AddHostedService<UsageBacklogGauge>();
    }

    public static void MapMetering(this WebApplication app)
    {
        app.Use(ForwardAuthEndpoint.RejectEscapingPathsAsync);
        app.MapGet(ForwardAuthEndpoint.Path, (HttpContext context, ForwardAuthEndpoint endpoint) => endpoint.DecideAsync(context))
            .Named("authorize", "Whether the bearer may spend, by status. Any method and any path below it is answered the same way.")
            .WithTags("Gateways")
            .Produces(StatusCodes.Status200OK)
            .AnswersProblems(400, 401, 402, 403, 429, 503)
            .AnswersHeader(StatusCodes.Status200OK, ForwardAuthEndpoint.Remaining, "The balance.")
            .AnswersHeader(StatusCodes.Status200OK, ForwardAuthEndpoint.User, "The account's id, percent-encoded where needed.")
            .AnswersHeader(StatusCodes.Status402PaymentRequired, ForwardAuthEndpoint.Reason, "Why, for the user.")
            .AnswersHeader(StatusCodes.Status403Forbidden, ForwardAuthEndpoint.Reason, "Why, for the user.")
            .Protect(app);
        app.Map(
                $"{ForwardAuthEndpoint.Path}/{{**rest}}",
                (HttpContext context, ForwardAuthEndpoint endpoint) => endpoint.DecideAsync(context))
            .Protect(app)
            .ExcludeFromDescription();
        var gateways = app.MapGroup("")
            .WithTags("Gateways")
            .WithMetadata(new ProofMetadata(ProofMetadata.GatewayKey, ProofMetadata.GatewayBearer))
            .AddEndpointFilter<RouteGroupBuilder, GatewayKeyFilter>()
            .AddEndpointFilter<RouteGroupBuilder, GatewayBodyFilter>();
        gateways.MapPost(GatePath, (HttpContext context, GuardrailEndpoint endpoint) => endpoint.DecideAsync(context))
            .Named("decideCall", "Whether a user may call a model: LiteLLM's generic guardrail.")
            .TakesBody<GuardrailRequest>("application/json")
            .Produces<GuardrailAnswer>()
            .AnswersProblems(400, 401, 408, 413, 415, 429, 503);
        gateways.MapPost(MeterPath, (HttpContext context, MeterEndpoint endpoint) => endpoint.ReceiveAsync(context))
            .Named("reportUsage", "Takes usage records of LiteLLM: an array, one object, or an object on each line.")
            .TakesBody<JsonObject[]>("application/json")
            .Produces(StatusCodes.Status200OK)
            .AnswersProblems(400, 401, 408, 413, 415, 429, 503);
    }

    private static RouteHandlerBuilder Protect(this RouteHandlerBuilder route, WebApplication app) => route
        .RequireToken()
        .AddEndpointFilter(app.Services.GetRequiredService<RequestRateLimiter>())
        .AddEndpointFilter(app.Services.GetRequiredService<ProblemFilter>());
}
