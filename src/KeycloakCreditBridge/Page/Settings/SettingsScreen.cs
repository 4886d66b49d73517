using KeycloakCreditBridge.Analytics;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Sweep;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;
using KeycloakCreditBridge.Periods;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Storage.Replicas;
using Microsoft.Extensions.Options;
using Quartz;

namespace KeycloakCreditBridge.Page.Settings;

/// <summary>What the bridge works with, to be read and not to be changed. It is for operators who may see all realms.</summary>
internal sealed class SettingsScreen(
    IConfiguration configuration, IEnumerable<BoundSection> sections, ReplicaStore replicas, LeaseListStore leases,
    IOptions<ReconciliationOptions> reconciliation, IOptions<PeriodsOptions> periods, IOptions<AnalyticsOptions> analytics,
    IOptions<GrantsOptions> grants, SweepBacklogStore sweep, TimeProvider clock)
{
    public async Task<IResult> ShowAsync(HttpContext context)
    {
        if (!Operator.Of(context).SeesAll)
            throw Operator.NotFound();
        IReadOnlyList<PlannedJob> jobs =
        [
            Job("Compare each realm by counts", reconciliation.Value.Enabled, reconciliation.Value.Cron),
            Job("Read each realm completely", reconciliation.Value.Enabled, reconciliation.Value.CompleteCron),
            Job("End periods and grant the next", periods.Value.Enabled, periods.Value.Cron),
            Job("Count users for analytics", analytics.Value.Enabled, analytics.Value.Cron),
            .. grants.Value.TasksCron.Length > 0
                ? new[] { Job("Read users with an undone task", reconciliation.Value.Enabled, grants.Value.TasksCron) } : [],
            new(
                "Take ended credits from accounts", (await sweep.ReadAsync(context.RequestAborted)).HasEnds,
                $"every {Texts.Span(grants.Value.SweepEvery)} while credits have an end", []),
        ];
        return Screens.Show<SettingsView, SettingsModel>(
            context,
            new SettingsModel(
                new EffectiveSettings(configuration, sections).Read(), jobs, await replicas.LiveAsync(context.RequestAborted),
                await leases.ListAsync(clock.GetUtcNow(), context.RequestAborted), ProductVersion.Text));
    }

    private PlannedJob Job(string name, bool isOn, string cron)
    {
        List<DateTimeOffset> next = [];
        var expression = new CronExpression(cron, TimeZoneInfo.Utc);
        for (var at = expression.GetNextValidTimeAfter(clock.GetUtcNow()); isOn && at is { } time && next.Count < 3;
            at = expression.GetNextValidTimeAfter(time))
            next.Add(time);
        return new PlannedJob(name, isOn, cron, next);
    }
}

internal static class SettingsRoutes
{
    public static void MapSettings(this IEndpointRouteBuilder screens) =>
        screens.MapGet("/settings", (HttpContext context, SettingsScreen screen) => screen.ShowAsync(context));
}

/// <param name="Next">The next times, none where it is off.</param>
internal sealed record PlannedJob(string Name, bool IsOn, string Cron, IReadOnlyList<DateTimeOffset> Next);

internal sealed record SettingsModel(
    IReadOnlyList<Setting> Settings, IReadOnlyList<PlannedJob> Jobs, IReadOnlyList<Replica> Replicas, IReadOnlyList<ListedLease> Leases,
    string Version);
