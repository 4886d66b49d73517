using System.Globalization;
using KeycloakCreditBridge.Analytics.Reports;
using KeycloakCreditBridge.Page.Shell;

namespace KeycloakCreditBridge.Page.Funnel;

/// <summary>Reads the texts of a report, some of which are not told for few users.</summary>
internal static class ReportNumbers
{
    /// <summary>A value of the report; null where it is not told.</summary>
    public static decimal? Number(this ReportView report, ReportRow row, string column) =>
        decimal.TryParse(
            row.Values[Array.IndexOf(report.Columns, column)], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
            ? number : null;

    public static string Text(this ReportView report, ReportRow row, string column) => (report.Number(row, column), column) switch
    {
        (null, _) => row.Values[Array.IndexOf(report.Columns, column)] is { Length: > 0 } told ? told : "–",
        ({ } share, "success") => (100m * share).ToString("0.##", CultureInfo.InvariantCulture) + " %",
        ({ } time, _) when column.EndsWith("_ms", StringComparison.Ordinal) => Seconds(time),
        ({ } number, _) => Texts.Credits(number),
    };

    /// <summary>The column's head, without its unit.</summary>
    public static string Head(string column) => column.Replace("_ms", "", StringComparison.Ordinal).Replace('_', ' ');

    public static string Seconds(decimal milliseconds) => milliseconds < 1_000m
        ? milliseconds.ToString("0", CultureInfo.InvariantCulture) + " ms"
        : milliseconds < 120_000m ? (milliseconds / 1_000m).ToString("0.0", CultureInfo.InvariantCulture) + " s"
        : Texts.Span(TimeSpan.FromMilliseconds((double)milliseconds));
}
