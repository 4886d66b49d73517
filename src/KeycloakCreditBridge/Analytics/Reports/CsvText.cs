using System.Text;

namespace KeycloakCreditBridge.Analytics.Reports;

/// <summary>Reports as CSV, of which no spreadsheet runs a cell as a formula.</summary>
internal static class CsvText
{
    public const string MediaType = "text/csv";

    public static string Of(ReportView report)
    {
        var text = new StringBuilder();
        Append(text, [report.By, .. report.Columns]);
        foreach (var row in report.Rows)
            Append(text, [row.Name, .. row.Values]);
        return text.ToString();
    }

    /// <summary>A cell: what a spreadsheet would compute begins with an apostrophe.</summary>
    public static string Cell(string? text)
    {
        if (string.IsNullOrEmpty(text))
            return "";
        var cell = text.TrimStart() is ['=' or '+' or '-' or '@', ..] || text[0] is '\t' or '\r' or '\n' ? $"'{text}" : text;
        return cell.AsSpan().ContainsAny(",\"\r\n;") || cell[0] == ' '
            ? $"\"{cell.Replace("\"", "\"\"", StringComparison.Ordinal)}\""
            : cell;
    }

    private static void Append(StringBuilder text, IEnumerable<string?> cells) => text.AppendJoin(',', cells.Select(Cell)).Append("\r\n");
}
