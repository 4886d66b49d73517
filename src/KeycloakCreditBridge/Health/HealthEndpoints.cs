using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Management;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace KeycloakCreditBridge.Health;

/// <summary>
/// `/health/live`: the process answers. `/health/startup`: its schema is ready, whatever Keycloak does. `/health/ready`: it can work, and
/// for operators what it needs.
/// </summary>
internal static class HealthEndpoints
{
    public static void MapHealth(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/health/live", () => TypedResults.Text("""{"status":"live"}""", "application/json"))
            .WithName("getLiveness").WithSummary("Whether the process answers.").WithTags("Operation")
            .Produces<LiveResponse>();
        endpoints.MapGet("/health/startup", Startup)
            .WithName("getStartup").WithSummary("Whether the schema is ready.").WithTags("Operation")
            .Produces<StartupResponse>().Produces<StartupResponse>(StatusCodes.Status503ServiceUnavailable);
        endpoints.MapMethods("/health/ready", [HttpMethods.Head], CheckAsync).ExcludeFromDescription();
        endpoints.MapGet("/health/ready", CheckAsync)
            .WithName("getReadiness").WithSummary("Whether the bridge can work.").WithTags("Operation")
            .Produces<ReadyResponse>().Produces<ReadyResponse>(StatusCodes.Status503ServiceUnavailable);
    }

    private static async Task CheckAsync(HttpContext context, ReadinessReport readiness)
    {
        var report = await readiness.ReadAsync(context.RequestAborted);
        context.Response.StatusCode =
            report.Status == HealthStatus.Unhealthy ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK;
        context.Response.Headers.CacheControl = "no-store, no-cache";
        await WriteAsync(context, report);
    }

    private static JsonHttpResult<StartupResponse> Startup(HttpContext context, SchemaGate gate, DetailAccess details) => gate.IsOpen
        ? TypedResults.Json(new StartupResponse("started", null), HealthJson.Default.StartupResponse)
        : TypedResults.Json(
            new StartupResponse("starting", details.IsGranted(context) ? gate.Problem ?? "PostgreSQL was not reached yet" : null),
            HealthJson.Default.StartupResponse, statusCode: StatusCodes.Status503ServiceUnavailable);

    private static Task WriteAsync(HttpContext context, HealthReport report)
    {
        var answer = new ReadyResponse(
            report.Status == HealthStatus.Unhealthy ? "not ready" : "ready",
            context.RequestServices.GetRequiredService<DetailAccess>().IsGranted(context) ? ChecksOf(report) : null);
        return context.Response.WriteAsJsonAsync(answer, HealthJson.Default.ReadyResponse, cancellationToken: context.RequestAborted);
    }

    private static Dictionary<string, ReadyCheck> ChecksOf(HealthReport report) => report.Entries.ToDictionary(
        entry => entry.Key,
        entry => new ReadyCheck(entry.Value.Status == HealthStatus.Healthy ? "ok" : "failed", Detail(entry.Value)),
        StringComparer.Ordinal);

    private static string? Detail(HealthReportEntry entry) =>
        entry.Status == HealthStatus.Healthy ? entry.Description : entry.Description ?? entry.Exception?.Message ?? "no answer in time";
}

/// <param name="Status">`live`.</param>
internal sealed record LiveResponse(string Status);

/// <param name="Status">`started` or `starting`.</param>
/// <param name="Reason">What it waits for; null for callers that are not told details.</param>
internal sealed record StartupResponse(string Status, string? Reason = null);

/// <param name="Status">`ready` or `not ready`.</param>
/// <param name="Checks">Null for callers that are not told details: names and reasons tell of realms, hosts and roles.</param>
internal sealed record ReadyResponse(string Status, IReadOnlyDictionary<string, ReadyCheck>? Checks = null);

/// <param name="Status">`ok` or `failed`.</param>
/// <param name="Detail">What is wrong, or what an operator may want to know.</param>
internal sealed record ReadyCheck(string Status, string? Detail = null);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(StartupResponse))]
[JsonSerializable(typeof(ReadyResponse))]
internal sealed partial class HealthJson : JsonSerializerContext;
