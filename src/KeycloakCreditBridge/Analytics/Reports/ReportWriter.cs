using System.Globalization;
using KeycloakCreditBridge.Analytics.RollUps;
using KeycloakCreditBridge.Grants.Experiments.Results;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Analytics.Reports;

/// <summary>Makes reports of what was rebuilt last. Counts of few users are not told.</summary>
internal sealed class ReportWriter(
    AnalyticsStore store, RollUpStore rollUps, ExperimentReports experiments, IOptions<AnalyticsOptions> options, TimeProvider clock)
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
            "experiments" => Experiments(await ResultsAsync(query, cancellationToken)),
            _ => Funnel(
                query, await store.FunnelAsync(query, cancellationToken),
                query.By == "arm" ? ShownArms(await ResultsAsync(query, cancellationToken)) : null),
        };
        return new ReportView(report.Name, query.By, query.From, query.To, options.Value.TimeZone, state?.RebuiltAt, columns, rows);
    }

    private Task<IReadOnlyList<ExperimentResult>> ResultsAsync(AnalyticsQuery query, CancellationToken cancellationToken) =>
        experiments.ListAsync(query.Realm is { } realm ? [realm] : null, null, cancellationToken);

    // What users of an arm did is a result: where a sample ratio of one of its realms hides that, the funnel does too.
    private static HashSet<string> ShownArms(IEnumerable<ExperimentResult> results) => [
        AnalyticsStore.NoArm, .. results.SelectMany(result => result.Arms.Select(arm => (result, arm)))
            .GroupBy(row => $"{row.result.Run.Experiment}:{row.result.Run.Version}:{row.arm.Arm.Name}", StringComparer.Ordinal)
            .Where(rows => rows.All(row => row.arm.Did is not null)).Select(rows => rows.Key),
    ];

    private (string[] Columns, ReportRow[] Rows) Funnel(
        AnalyticsQuery query, IReadOnlyList<FunnelCounts> groups, HashSet<string>? shown) => (
        ["users", "provisioned", "granted", "first_read", "first_spend", "exhausted", "purchased", "eligible", "in_time", "success"],
        [
            .. groups.Select(group => new ReportRow(
                group.Name,
                [
                    Count(group.Users), Count(group.Provisioned),
                    .. ((long[])[group.Granted, group.FirstRead, group.FirstSpend, group.Exhausted, group.Purchased])
                        .Select(passed => shown?.Contains(group.Name) == false ? "" : Count(passed)),
                    Count(group.Eligible), Count(group.InTime), Share(group),
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

    // What a broken sample ratio hides is empty, as is what few users are behind.
    private (string[] Columns, ReportRow[] Rows) Experiments(IEnumerable<ExperimentResult> results) => (
        [
            "realm", "version", "state", "sample_ratio", "credits", "users", "exposed", "ripe", "did", "share", "uplift", "sequential_low",
            "sequential_high", "fixed_low", "fixed_high",
        ],
        [
            .. results.SelectMany(result => result.Arms.Select(arm => (result, arm))).Select(row => new ReportRow(
                $"{row.result.Run.Experiment}:{row.arm.Arm.Name}",
                [
                    row.result.Run.Realm, row.result.Run.Version.ToString(CultureInfo.InvariantCulture), row.result.State,
                    row.result.Ratio.State, row.arm.Arm.Credits.ToString("0.00####", CultureInfo.InvariantCulture),
                    Count(row.arm.Users), Count(row.arm.Exposed), Count(row.arm.Ripe), row.arm.Did is { } did ? Count(did) : "",
                    .. ResultOf(row.result, row.arm),
                ],
                Unripe: !row.result.IsFinal)),
        ]);

    // An uplift tells the share of control too.
    private string[] ResultOf(ExperimentResult result, ArmResult arm)
    {
        var isTold = IsTold(arm) && IsTold(result.Arms[0]);
        return [
            IsTold(arm) ? Part(arm.Share) : "", .. ((double?[])[
                arm.Uplift?.Value, arm.Uplift?.Sequential.Low, arm.Uplift?.Sequential.High, arm.Uplift?.Fixed?.Low, arm.Uplift?.Fixed?.High,
            ]).Select(part => isTold ? Part(part) : ""),
        ];

        bool IsTold(ArmResult one) => one.Did is { } did && !IsSmall(one.Ripe) && !IsSmall(did) && !IsSmall(one.Ripe - did);
        static string Part(double? value) => value?.ToString("0.000000", CultureInfo.InvariantCulture) ?? "";
    }

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
