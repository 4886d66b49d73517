using System.Text;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Api.Tokens;

namespace KeycloakCreditBridge.Analytics.Reports;

/// <summary>Answers reports of the caller's realm, as JSON or CSV.</summary>
internal sealed class AnalyticsEndpoints(ReportWriter writer)
{
    public async Task<IResult> ReportAsync(HttpContext context, Report report)
    {
        var (realm, query) = (Caller.Of(context).Realm, context.Request.Query);
        Dictionary<string, string> problems = [];
        var wanted = query.SingleValue("realm", problems);
        var values = (query.SingleValue("from", problems), query.SingleValue("to", problems), query.SingleValue("by", problems));
        var request = AnalyticsQuery.Read(report, realm, values, writer.Today, problems);
        if (problems.Count > 0)
            throw RequestRefusedException.Invalid(problems);
        // The same for a realm of others and for none: who asks learns nothing of either.
        if (wanted is not null && wanted != realm)
            throw new RequestRefusedException(StatusCodes.Status404NotFound, "There is no such realm for this caller.");
        var answer = await writer.WriteAsync(report, request, context.RequestAborted);
        return AcceptsCsv(context.Request)
            ? TypedResults.Text(CsvText.Of(answer), CsvText.MediaType, Encoding.UTF8)
            : TypedResults.Ok(answer);
    }

    private static bool AcceptsCsv(HttpRequest request) =>
        request.GetTypedHeaders().Accept.Any(type => type.MediaType.Equals(CsvText.MediaType, StringComparison.OrdinalIgnoreCase));
}
