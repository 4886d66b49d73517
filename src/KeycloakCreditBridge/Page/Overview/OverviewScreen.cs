using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Page.Gate;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Setup.Operators;
using Microsoft.Extensions.Options;
using Quartz;

namespace KeycloakCreditBridge.Page.Overview;

/// <summary>Whether all is well, realm by realm, and what the last day brought.</summary>
internal sealed class OverviewScreen(
    CheckBoard checks, FigureBoard figures, RequestedRunStore runs, CompleteRunStore complete, IOptions<ReconciliationOptions> schedule,
    TimeProvider clock)
{
    private const int Hours = 24;

    public async Task<IResult> ShowAsync(HttpContext context)
    {
        var user = Operator.Of(context);
        var board = await checks.LookAsync(again: false, context.RequestAborted);
        var found = await figures.LookAsync(context.RequestAborted);
        List<RealmLine> lines = [];
        foreach (var stand in found.Realms.Where(stand => user.AccessTo(stand.Realm) != Access.None))
        {
            var latest = await runs.LatestAsync(stand.Realm, 1, context.RequestAborted);
            lines.Add(new RealmLine(
                stand, latest is [var run] ? run : null, await complete.LatestAsync(stand.Realm, context.RequestAborted), NextRun()));
        }

        var results = board?.Results.Where(result => result.Realm is { } realm ? user.AccessTo(realm) != Access.None : true)
            .OrderByDescending(result => result.Finding.Verdict).ToList();
        return Screens.Show<OverviewView, OverviewModel>(
            context, new OverviewModel(results, board?.At, lines, CardsOf(found.Day, user.Realms)));
    }

    /// <summary>Runs the checks again.</summary>
    public async Task<IResult> CheckAsync(HttpContext context)
    {
        _ = Operator.Of(context);
        await checks.LookAsync(again: true, context.RequestAborted);
        return Screens.GoTo(PagePaths.Root, "checked");
    }

    private DateTimeOffset? NextRun() => !schedule.Value.Enabled ? null
        : new CronExpression(schedule.Value.Cron, TimeZoneInfo.Utc).GetNextValidTimeAfter(clock.GetUtcNow());

    private static IReadOnlyList<DayCard> CardsOf(DayFigures day, IReadOnlyList<string> realms)
    {
        return
        [
            Summed("Users created", "users that Keycloak says were created", day.Registered),
            Summed("Accounts opened", "accounts that the bridge opened", day.Opened),
            Slowest("Time to account", "95 of 100 accounts were opened within", day.Delay),
            Summed("Credits spent", "credits that usage took", day.Spent),
        ];

        DayCard Summed(string name, string meaning, IReadOnlyList<HourFigure> figures)
        {
            var hours = Hourly(figures, values => values.Sum());
            return new DayCard(name, meaning, Texts.Credits(hours.Sum()), hours, day.At);
        }

        DayCard Slowest(string name, string meaning, IReadOnlyList<HourFigure> figures)
        {
            var all = figures.Where(figure => figure.Hour is null && realms.Contains(figure.Realm, StringComparer.Ordinal)).ToList();
            var hours = Hourly(figures, values => values.DefaultIfEmpty().Max());
            var text = all.Count == 0 ? "no new user" : $"{Texts.Credits(decimal.Round(all.Max(figure => figure.Value), 2))} s";
            return new DayCard(name, meaning, text, [.. hours.Select(hour => decimal.Round(hour, 2))], day.At);
        }

        decimal[] Hourly(IReadOnlyList<HourFigure> figures, Func<IEnumerable<decimal>, decimal> together) =>
        [
            .. Enumerable.Range(0, Hours).Select(index => together(figures
                .Where(figure => figure.Hour == Hours - 1 - index && realms.Contains(figure.Realm, StringComparer.Ordinal))
                .Select(figure => figure.Value))),
        ];
    }
}

internal static class OverviewRoutes
{
    public static void MapOverview(this IEndpointRouteBuilder screens)
    {
        screens.MapGet("", (HttpContext context, OverviewScreen screen) => screen.ShowAsync(context));
        screens.MapPost("/check", (HttpContext context, OverviewScreen screen) => screen.CheckAsync(context))
            .WithMetadata(new ChangesNothing());
    }
}

/// <param name="Checks">The worst first; null while they run for the first time.</param>
internal sealed record OverviewModel(
    IReadOnlyList<CheckResult>? Checks, DateTimeOffset? CheckedAt, IReadOnlyList<RealmLine> Realms, IReadOnlyList<DayCard> Cards);

/// <param name="Latest">The realm's newest run.</param>
/// <param name="Complete">When the realm was last read completely.</param>
/// <param name="Next">When the schedule compares it next; null where this replica has no schedule.</param>
internal sealed record RealmLine(RealmStand Stand, RunView? Latest, DateTimeOffset? Complete, DateTimeOffset? Next);

/// <param name="Hours">The latest last.</param>
internal sealed record DayCard(string Name, string Meaning, string Value, IReadOnlyList<decimal> Hours, DateTimeOffset At)
{
    public IReadOnlyList<string> Titles => [.. Hours.Select((value, index) =>
        $"{Texts.Absolute(At.AddHours(index + 1 - Hours.Count))[..16]}: {Texts.Credits(value)}")];
}
