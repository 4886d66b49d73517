using System.Globalization;
using System.Text.Json;

namespace KeycloakCreditBridge.Metering.Reports.Records;

/// <summary>Reads fields of a record. A field of another type counts as missing.</summary>
internal static class RecordFields
{
    public static JsonElement? Object(this JsonElement record, string field) =>
        record.TryGetProperty(field, out var value) && value.ValueKind == JsonValueKind.Object ? value : null;

    public static bool IsTrue(this JsonElement record, string field) =>
        record.TryGetProperty(field, out var value) && value.ValueKind == JsonValueKind.True;

    public static string? Text(this JsonElement record, string field)
    {
        if (!record.TryGetProperty(field, out var value) || value.ValueKind != JsonValueKind.String)
            return null;
        try
        {
            return value.GetString();
        }
        // Half a surrogate pair is no text.
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>A number, also one that is written as text.</summary>
    public static decimal? Number(this JsonElement record, string field)
    {
        if (record.TryGetProperty(field, out var value) && value.ValueKind == JsonValueKind.Number)
            return value.TryGetDecimal(out var number) ? number : null;
        return decimal.TryParse(record.Text(field), NumberStyles.Float, CultureInfo.InvariantCulture, out var parsed) ? parsed : null;
    }

    /// <summary>An id, also one that is a number. Python writes a missing one as `None`.</summary>
    public static string? Identifier(this JsonElement record, string field)
    {
        if (record.TryGetProperty(field, out var value) && value.ValueKind == JsonValueKind.Number)
            return value.GetRawText();
        var text = record.Text(field);
        return text is null or "" or "None" or "null" || text.Contains('\0', StringComparison.Ordinal) ? null : text;
    }
}
