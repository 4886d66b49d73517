using KeycloakCreditBridge.Analytics.Reports;
using KeycloakCreditBridge.Analytics.RollUps;
using KeycloakCreditBridge.Api;
using KeycloakCreditBridge.Api.Description;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Hosting;

namespace KeycloakCreditBridge.Analytics;

internal static class AnalyticsModule
{
    public static void AddAnalytics(this IHostApplicationBuilder builder)
    {
        builder.AddSection<AnalyticsOptions, AnalyticsOptionsValidator>(AnalyticsOptions.Section);
        builder.Services.AddSingleton<RollUpStore>();
        builder.Services.AddSingleton<AnalyticsStore>();
        builder.Services.AddSingleton<ReportWriter>();
        builder.Services.AddSingleton<AnalyticsEndpoints>();
        builder.Services.AddSingleton<IScheduledJobs, RollUpSchedule>();
        builder.Services.AddHostedService<ProvisionedGauge>();
    }

    /// <summary>The routes of reports. Administrators and viewers of a realm see how its users are counted.</summary>
    public static void MapAnalytics(this WebApplication app)
    {
        var analytics = app.MapApiGroup().MapGroup("/credits/analytics").WithTags("Analytics")
            .RequireToken(CallerRoles.Admin, CallerRoles.Viewer);
        Map(Report.Funnel, "getFunnel", "How many users registered, and how many of them came how far.");
        Map(Report.Latency, "getLatency", "How long users waited for their accounts.");
        Map(Report.Sources, "getSources", "The funnel by what brought the users.");
        Map(Report.Experiments, "getExperiments", "What experiments on welcome credits came to, by arm.");
        Map(Report.Expiries, "getExpiries", "Credits by the day on which they end.");

        void Map(Report report, string name, string summary) => analytics
            .MapGet($"/{report.Name}", (HttpContext context, AnalyticsEndpoints endpoints) => endpoints.ReportAsync(context, report))
            .Answers<ReportView>(name, $"{summary} With `Accept: text/csv` as CSV.", "realm", "from", "to", "by");
    }
}
