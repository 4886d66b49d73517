using System.Globalization;
using KeycloakCreditBridge.Analytics.RollUps;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Analytics.Reports;

/// <summary>Makes reports of what was rebuilt last. Counts of few users are not told.</summary>
internal sealed class ReportWriter(
    AnalyticsStore store, RollUpStore rollUps, IOptions<AnalyticsOptions> options, TimeProvider clock)
{
    // A cohort of fewer days had no time for every step.
    private const int RipeDays = 30;

    // More take too long to read one by one.
    private const int MostExact = 100_000;

    /// <summary>The day now, in the time zone of days.</summary>
    public DateOnly Today => DateOnly.FromDateTime(
        TimeZoneInfo.ConvertTime(clock.GetUtcNow(), TimeZoneInfo.FindSystemTimeZoneById(options.Value.TimeZone)).DateTime);

    public async Task<ReportView> WriteAsync(Report report, AnalyticsQuery query, CancellationToken cancellationToken)
    {
        var state = await rollUps.StateAsync(cancellationToken);
        var (columns, rows) = report.Name switch
        {
            "latency" => Latency(WaitCounts.ByName(await store.WaitsAsync(query, MostExact, cancellationToken))),
            "expiries" => Expiries(await store.ExpiriesAsync(query, cancellationToken)),
            _ => Funnel(query, await store.FunnelAsync(query, report == Report.Experiments, cancellationToken)),
        };
        return new ReportView(report.Name, query.By, query.From, query.To, options.Value.TimeZone, state?.RebuiltAt, columns, rows);
    }

    private (string[] Columns, ReportRow[] Rows) Funnel(AnalyticsQuery query, IReadOnlyList<FunnelCounts> groups) => (
        ["users", "provisioned", "granted", "first_read", "first_spend", "exhausted", "purchased", "eligible", "in_time", "success"],
        [
            .. groups.Select(group => new ReportRow(
                group.Name,
                [
                    Count(group.Users), Count(group.Provisioned), Count(group.Granted), Count(group.FirstRead), Count(group.FirstSpend),
                    Count(group.Exhausted), Count(group.Purchased), Count(group.Eligible), Count(group.InTime), Share(group),
                ],
                query.By == "day" && IsUnripe(group.Name))),
        ]);

    private (string[] Columns, ReportRow[] Rows) Latency(IEnumerable<WaitCounts> groups) => (
        ["users", "p50_ms", "p90_ms", "p99_ms", "max_ms", "skewed"],
        [
            .. groups.Select(group => new ReportRow(
                group.Name,
                [
                    Count(group.Users), Milliseconds(group, group.At(0.5)), Milliseconds(group, group.At(0.9)),
                    Milliseconds(group, group.At(0.99)), Milliseconds(group, group.MaxMs), Count(group.Skewed),
                ],
                Unripe: false)),
        ]);

    private (string[] Columns, ReportRow[] Rows) Expiries(IReadOnlyList<ExpiryCounts> groups) => (
        ["accounts", "credits"],
        [
            .. groups.Select(group => new ReportRow(
                group.Name,
                [
                    Count(group.Accounts),
                    IsSmall(group.Accounts) ? "" : group.Credits.ToString("0.000000", CultureInfo.InvariantCulture),
                ],
                Unripe: false)),
        ]);

    private bool IsUnripe(string day) =>
        DateOnly.TryParseExact(day, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date)
        && Today.DayNumber - date.DayNumber < RipeDays;

    private bool IsSmall(long users) => users > 0 && users < options.Value.MinimumGroup;

    private string Count(long users) => IsSmall(users)
        ? string.Create(CultureInfo.InvariantCulture, $"<{options.Value.MinimumGroup}")
        : users.ToString(CultureInfo.InvariantCulture);

    // From counts that are not told no share is told either.
    private string Share(FunnelCounts group) =>
        group.Eligible == 0 || IsSmall(group.Eligible) || IsSmall(group.InTime) || IsSmall(group.Eligible - group.InTime)
            ? ""
            : ((decimal)group.InTime / group.Eligible).ToString("0.000000", CultureInfo.InvariantCulture);

    private string Milliseconds(WaitCounts group, double time) =>
        IsSmall(group.Users) ? "" : time.ToString("0", CultureInfo.InvariantCulture);
}

/// <summary>A report: a table with a row for each group.</summary>
/// <param name="Report">Its name.</param>
/// <param name="By">What its rows stand for.</param>
/// <param name="To">The last day, which counts.</param>
/// <param name="RebuiltAt">The state that it shows; null before anything was counted.</param>
/// <param name="Columns">The names of <see cref="ReportRow.Values"/>.</param>
internal sealed record ReportView(
    string Report, string By, DateOnly From, DateOnly To, string TimeZone, DateTimeOffset? RebuiltAt, string[] Columns, ReportRow[] Rows);

/// <param name="Name">The group's.</param>
/// <param name="Values">As text, such as `12` or `&lt;5`; empty where too few users are behind it, or none.</param>
/// <param name="Unripe">Its users had too little time for every step.</param>
internal sealed record ReportRow(string Name, string[] Values, bool Unripe);
