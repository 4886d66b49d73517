using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Management;

namespace KeycloakCreditBridge.Telemetry;

internal static class TelemetryModule
{
    public static void AddTelemetry(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton(services => services.GetRequiredService<IMeterFactory>().Create(BridgeMeter.Name));
        builder.Services.AddSingleton<MetricsCollector>();
        builder.Services.AddInstruments<BuildInformation>();
        builder.Services.AddInstruments<SettingsMetrics>();
        builder.Services.AddHostedService(services => services.GetRequiredService<MetricsCollector>());
        builder.AddOtlpExport();
    }

    /// <summary>Registers a room's instruments, which exist from the start.</summary>
    public static void AddInstruments<T>(this IServiceCollection services)
        where T : class, IInstruments
    {
        services.AddSingleton<T>();
        services.AddSingleton<IInstruments>(provider => provider.GetRequiredService<T>());
    }

    public static void MapTelemetry(this IEndpointRouteBuilder endpoints) =>
        endpoints.MapGet("/metrics", (MetricsCollector metrics) =>
            TypedResults.Text(PrometheusText.Write(metrics.Collect()), PrometheusText.ContentType))
            .WithName("getMetrics").WithSummary("Metrics as Prometheus reads them.").WithTags("Operation")
            .Produces<string>(StatusCodes.Status200OK, "text/plain")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ForOperators();
}
