using System.Globalization;

namespace KeycloakCreditBridge.Analytics.Reports;

/// <summary>Which days are counted, and how they are grouped.</summary>
/// <param name="Realm">Null for all; over HTTP always the caller's.</param>
/// <param name="To">The last day, which counts.</param>
/// <param name="By">One of the report's <see cref="Report.Groups"/>.</param>
internal sealed record AnalyticsQuery(string? Realm, DateOnly From, DateOnly To, string By)
{
    public const int MostDays = 400;

    private const int UsualDays = 30;

    /// <summary>Reads the texts of a query or of a command line; what is wrong is noted by name.</summary>
    /// <param name="report">What is asked for.</param>
    /// <param name="realm">Null for all.</param>
    /// <param name="values">The texts of `from`, `to` and `by`; null where not given.</param>
    /// <param name="today">In the time zone of days.</param>
    /// <param name="problems">What is wrong with each name.</param>
    public static AnalyticsQuery Read(
        Report report, string? realm, (string? From, string? To, string? By) values, DateOnly today, Dictionary<string, string> problems)
    {
        var by = values.By ?? report.Groups[0];
        if (!report.Groups.Contains(by, StringComparer.Ordinal))
            problems["by"] = $"is none of {string.Join(", ", report.Groups)}";
        var to = Day("to", values.To) ?? (report.LooksAhead ? today.AddDays(UsualDays - 1) : today);
        var from = Day("from", values.From)
            ?? (report.LooksAhead ? today : to.DayNumber < UsualDays ? DateOnly.MinValue : to.AddDays(1 - UsualDays));
        if (to < from)
            problems.TryAdd("to", "is before 'from'");
        else if (to.DayNumber - from.DayNumber >= MostDays)
            problems.TryAdd("from", $"is more than {MostDays} days before 'to'");
        return new AnalyticsQuery(realm, from, to, by);

        DateOnly? Day(string name, string? text)
        {
            if (text is null)
                return null;
            if (DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day))
                return day;
            problems[name] = "is no date as 2026-01-31";
            return null;
        }
    }
}

/// <summary>A report that can be asked for.</summary>
/// <param name="Groups">What it can be grouped by; without a wish by the first.</param>
/// <param name="LooksAhead">Its days are to come.</param>
internal sealed record Report(string Name, string[] Groups, bool LooksAhead = false)
{
    public static readonly Report Funnel = new("funnel", ["day", "realm", "tier", "source", "arm", "way", "box"]);

    public static readonly Report Latency = new("latency", ["day", "realm", "way"]);

    public static readonly Report Sources = new("sources", ["source", "utm", "way"]);

    public static readonly Report Experiments = new("experiments", ["arm"]);

    public static readonly Report Expiries = new("expiries", ["day", "realm", "kind"], LooksAhead: true);
}
