using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Metering.Reports.Records;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Metering.Reports;

/// <summary>
/// Receives usage reports. It answers 200 when the report is committed, which is priced later, and 503 only when nothing was stored, so
/// that the gateway sends it again.
/// </summary>
internal sealed partial class MeterEndpoint(
    UsageReportStore store, SchemaGate gate, IOptions<MeteringOptions> options, TimeProvider clock, ILogger<MeterEndpoint> logger)
{
    private const int MaxRecords = 10_000;

    private readonly LogPace _notStored = new(clock);

    public async Task<IResult> ReceiveAsync(HttpContext context)
    {
        var limit = options.Value.MaxBodyBytes;
        using var body = await RequestBody.ReadAsync(context.Request, limit, context.RequestAborted);
        if (body is null)
            return TypedResults.Problem(
                $"The report is longer than {limit} bytes: send smaller batches.", statusCode: StatusCodes.Status413PayloadTooLarge);
        if (!UsageReader.MayHoldRecords(body.Bytes.Span))
            return TypedResults.Problem(
                "The body holds no records: send a JSON array, an object, or an object on each line.",
                statusCode: StatusCodes.Status400BadRequest);
        if (UsageReader.HoldsMoreThan(MaxRecords, body.Bytes))
            return TypedResults.Problem(
                $"The report holds more than {MaxRecords} records: send smaller batches.",
                statusCode: StatusCodes.Status413PayloadTooLarge);
        try
        {
            if (!gate.IsOpen)
                return NotStored(context);
            // Continues when the gateway disconnects: a report stored without an answer is only delivered again.
            await store.AddAsync(body.Bytes, clock.GetUtcNow(), CancellationToken.None);
            return TypedResults.Ok();
        }
        catch (NpgsqlException exception)
        {
            if (_notStored.IsDue())
                LogNotStored(PrivilegeErrors.Describe(exception));
            return NotStored(context);
        }
    }

    private static ProblemHttpResult NotStored(HttpContext context)
    {
        context.Response.Headers.RetryAfter = "5";
        return TypedResults.Problem(
            "The report could not be stored now: send it again.", statusCode: StatusCodes.Status503ServiceUnavailable);
    }

    [LoggerMessage(
        EventId = 854, Level = LogLevel.Error,
        Message = "A usage report was answered with 503 because it could not be stored; the gateway has to send it again: {Reason}")]
    private partial void LogNotStored(string reason);
}
