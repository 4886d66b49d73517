using KeycloakCreditBridge.Analytics.Reports;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;

namespace KeycloakCreditBridge.Page.Funnel;

/// <summary>How far a realm's users came, where those without an account are, and how long they waited: the reports of analytics.</summary>
internal sealed class FunnelScreen(ReportWriter writer)
{
    public async Task<IResult> ShowAsync(HttpContext context)
    {
        var (user, filters) = (Operator.Of(context), new AskedFilters(context));
        var realm = filters.Realm();
        var days = (filters.Text("from"), filters.Text("to"));
        Dictionary<string, string> problems = [];
        AnalyticsQuery.Read(Report.Funnel, realm, (days.Item1, days.Item2, "realm"), writer.Today, problems);
        IReadOnlyList<ReportView> reports = problems.Count > 0 ? [] :
        [
            await WriteAsync(Report.Funnel, "realm"), await WriteAsync(Report.Funnel, "box"), await WriteAsync(Report.Latency, "realm"),
            await WriteAsync(Report.Latency, "day"), await WriteAsync(Report.Funnel, "way"), await WriteAsync(Report.Funnel, "day"),
        ];
        return Screens.Show<FunnelView, FunnelModel>(
            context, new FunnelModel(realm, user.Realms, days.Item1, days.Item2, problems, reports),
            problems.Count > 0 ? StatusCodes.Status400BadRequest : StatusCodes.Status200OK);

        Task<ReportView> WriteAsync(Report report, string by) => writer.WriteAsync(
            report, AnalyticsQuery.Read(report, realm, (days.Item1, days.Item2, by), writer.Today, problems), context.RequestAborted);
    }
}

internal static class FunnelRoutes
{
    public static void MapFunnel(this IEndpointRouteBuilder screens) =>
        screens.MapGet("/funnel", (HttpContext context, FunnelScreen screen) => screen.ShowAsync(context));
}

/// <param name="Problems">What is wrong with the days, by field.</param>
/// <param name="Reports">The funnel, boxes, waits, waits by day, the funnel by way and by day; none with a problem.</param>
internal sealed record FunnelModel(
    string Realm, IReadOnlyList<string> Realms, string? From, string? To, IReadOnlyDictionary<string, string> Problems,
    IReadOnlyList<ReportView> Reports);
