using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Management;

namespace KeycloakCreditBridge.Telemetry;

internal static class TelemetryModule
{
    public static void AddTelemetry(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton(services => services.GetRequiredService<IMeterFactory>().Create(BridgeMeter.Name));
        builder.Services.AddSingleton<MetricsCollector>();
        builder.Services.AddHostedService(services => services.GetRequiredService<MetricsCollector>());
    }

    public static void MapTelemetry(this IEndpointRouteBuilder endpoints) =>
        endpoints.MapGet("/metrics", (MetricsCollector metrics) =>
            TypedResults.Text(PrometheusText.Write(metrics.Collect()), PrometheusText.ContentType))
            .WithName("getMetrics").WithSummary("Metrics as Prometheus reads them.").WithTags("Operation")
            .Produces<string>(StatusCodes.Status200OK, "text/plain")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ForOperators();
}
