namespace KeycloakCreditBridge.Page.Audit;

/// <summary>Cells of comma-separated values.</summary>
internal static class Csv
{
    /// <summary>Quoted, and with an apostrophe before what a spreadsheet would take for a formula.</summary>
    public static string Cell(string? text)
    {
        if (string.IsNullOrEmpty(text))
            return "";
        var safe = text[0] is '=' or '+' or '-' or '@' or '\t' or '\r' or '\n' ? $"'{text}" : text;
        return $"\"{safe.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
    }
}
