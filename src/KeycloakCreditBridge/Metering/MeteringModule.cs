using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Rates;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Credits.Lookup;
using KeycloakCreditBridge.Metering.Gate;
using KeycloakCreditBridge.Metering.Reports;

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
        builder.Services.AddSingleton<MeteringMetrics>();
        builder.Services.AddSingleton<Pricing>();
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
        app.Map(
                $"{ForwardAuthEndpoint.Path}/{{**rest}}",
                (HttpContext context, ForwardAuthEndpoint endpoint) => endpoint.DecideAsync(context))
            .RequireToken()
            .AddEndpointFilter(app.Services.GetRequiredService<RequestRateLimiter>())
            .AddEndpointFilter(app.Services.GetRequiredService<ProblemFilter>())
            .ExcludeFromDescription();
        var gateways = app.MapGroup("")
            .AddEndpointFilter<RouteGroupBuilder, GatewayKeyFilter>()
            .AddEndpointFilter<RouteGroupBuilder, GatewayBodyFilter>();
        gateways.MapPost(GatePath, (HttpContext context, GuardrailEndpoint endpoint) => endpoint.DecideAsync(context));
        gateways.MapPost(MeterPath, (HttpContext context, MeterEndpoint endpoint) => endpoint.ReceiveAsync(context));
    }
}
