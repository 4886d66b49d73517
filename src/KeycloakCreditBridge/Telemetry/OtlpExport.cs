using System.Diagnostics;
using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Configuration;
using Npgsql;
using OpenTelemetry;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace KeycloakCreditBridge.Telemetry;

/// <summary>
/// Sends traces, metrics and logs over OTLP, by OpenTelemetry's own variables: https://opentelemetry.io/docs/specs/otel/protocol/exporter.
/// Where no endpoint is set, no assembly of the exporters is loaded.
/// </summary>
internal static class OtlpExport
{
    private const string ServiceName = "keycloak-credit-bridge";

    /// <summary>Sends each signal that has an endpoint.</summary>
    public static void AddOtlpExport(this IHostApplicationBuilder builder)
    {
        var (traces, metrics, logs) = (IsSent("TRACES"), IsSent("METRICS"), IsSent("LOGS"));
        if (traces || metrics || logs)
            Add(builder, traces, metrics, logs);

        bool IsSent(string signal) => IsWanted(builder.Configuration, signal);
    }

    /// <summary>Whether a signal, `TRACES`, `METRICS` or `LOGS`, has an endpoint and is not switched off.</summary>
    public static bool IsWanted(IConfiguration configuration, string signal) =>
        !string.Equals(configuration["OTEL_SDK_DISABLED"], "true", StringComparison.OrdinalIgnoreCase)
        && !string.Equals(configuration[$"OTEL_{signal}_EXPORTER"], "none", StringComparison.OrdinalIgnoreCase)
        && (configuration["OTEL_EXPORTER_OTLP_ENDPOINT"] is { Length: > 0 }
            || configuration[$"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"] is { Length: > 0 });

    // Apart, so that the packages' assemblies are loaded only when they are used.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Add(IHostApplicationBuilder builder, bool traces, bool metrics, bool logs)
    {
        var telemetry = builder.Services.AddOpenTelemetry().ConfigureResource(resource => resource
            .AddService(ServiceName, serviceVersion: ProductVersion.Text)
            .AddEnvironmentVariableDetector());
        if (traces)
        {
            telemetry.WithTracing(tracing => tracing
                .AddSource(Spans.SourceName)
                .AddAspNetCoreInstrumentation(requests =>
                {
                    requests.Filter = context => !IsOperators(context.Request.Path);
                    requests.EnrichWithHttpResponse = LeaveOutRefused;
                })
                .AddHttpClientInstrumentation()
                .AddNpgsql()
                .AddProcessor(new LoneClientFilter())
                .AddOtlpExporter());
        }

        if (metrics)
        {
            telemetry.WithMetrics(measuring => measuring
                .AddMeter(BridgeMeter.Name, "Npgsql")
                .AddAspNetCoreInstrumentation()
                .AddHttpClientInstrumentation()
                .AddRuntimeInstrumentation()
                .AddOtlpExporter());
        }

        if (logs)
            telemetry.WithLogging(logging => logging.AddOtlpExporter(), lines => lines.IncludeScopes = true);
    }

    // Probes and scrapes would be most of all traces and tell nothing.
    private static bool IsOperators(PathString path) => path.StartsWithSegments("/health") || path.StartsWithSegments("/metrics");

    // Callers without a right to anything can send such requests in any number, and their `traceparent` would have each one recorded.
    private static void LeaveOutRefused(Activity request, HttpResponse response)
    {
        if (response.StatusCode is StatusCodes.Status401Unauthorized or StatusCodes.Status403Forbidden or StatusCodes.Status404NotFound
            or StatusCodes.Status405MethodNotAllowed or StatusCodes.Status408RequestTimeout or StatusCodes.Status413PayloadTooLarge
            or StatusCodes.Status415UnsupportedMediaType or StatusCodes.Status429TooManyRequests)
            request.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
    }

    /// <summary>
    /// Leaves out statements and requests that belong to no work: each replica looks for hints every second, and each such look would be a
    /// trace.
    /// </summary>
    private sealed class LoneClientFilter : BaseProcessor<Activity>
    {
        public override void OnStart(Activity data)
        {
            if (data is { Kind: ActivityKind.Client, ParentId: null })
                data.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
        }
    }
}
