using System.Text.Json;
using KeycloakCreditBridge.Metering;
using KeycloakCreditBridge.Metering.Gate;
using KeycloakCreditBridge.Metering.Reports.Records;

namespace KeycloakCreditBridge.Chaos.Fuzzing.Readers;

/// <summary>What LLM gateways send: reports of usage, and questions to the gate.</summary>
internal static class MeterReading
{
    private const decimal LargestCost = 100_000m;
    private const int MostRecords = 10_000;
    private const int LongestKey = 600;

    private static readonly JsonDocumentOptions Deep = new() { MaxDepth = LenientJson.MaxDepth };

    /// <summary>Whether a report holds a record that can be charged.</summary>
    public static bool Report(byte[] body)
    {
        if (!UsageReader.MayHoldRecords(body) || UsageReader.HoldsMoreThan(MostRecords, body))
            return false;
        var usage = UsageReader.Read(body);
        foreach (var record in usage.Records)
            Check(record);
        foreach (var refused in usage.Refused)
            BrokenPromiseException.UnlessStorable(refused.Error, "Why a record is refused");
        // A report that meets a lock is stored again as what was read of it.
        var again = UsageReader.Read(UsageReader.Join(usage.Records));
        BrokenPromiseException.Unless(
            again.Refused.Count == 0 && again.Records.Select(Digest).SequenceEqual(usage.Records.Select(Digest)),
            $"{usage.Records.Count} records are {again.Records.Count} when they are read again.");
        return usage.Records.Count > 0;
    }

    /// <summary>Whether it is JSON as gateways write it.</summary>
    public static bool Lenient(byte[] body)
    {
        var parts = LenientJson.SplitRecords(body).ToArray();
        BrokenPromiseException.Unless(parts.Sum(part => part.Length) <= body.Length, "The parts are longer than the body.");
        if (ElementsOf(body) is { } elements)
            BrokenPromiseException.Unless(parts.Length == elements, $"An array of {elements} elements has {parts.Length} parts.");
        using var document = LenientJson.TryParse(body);
        return document is not null;
    }

    /// <summary>Whether the gate understands the question.</summary>
    public static bool Gate(byte[] body) => GuardrailEndpoint.TryRead(body, out _);

    private static string Digest(UsageRecord record) =>
        $"{record.Identity} {record.UserId} {record.Cost} {record.Tokens} {record.Metadata}";

    private static void Check(UsageRecord record)
    {
        BrokenPromiseException.Unless(record.Cost is null or (>= 0 and <= LargestCost), $"A record costs {record.Cost}.");
        BrokenPromiseException.Unless(record.Tokens is null or >= 0, $"A record has {record.Tokens} tokens.");
        BrokenPromiseException.Unless(
            System.Text.Encoding.UTF8.GetByteCount(record.Identity.Key) <= LongestKey, "A record's key is longer than its index takes.");
        foreach (var (text, name) in ((string?, string)[])
            [(record.UserId, "The user's id"), (record.Identity.Key, "The key"), (record.Identity.ByIdAlone, "The key by id alone"),
            (record.Model, "The model"), (record.Provider, "The provider"), (record.ModelGroup, "The group of models")])
        {
            BrokenPromiseException.UnlessStorable(text, name);
        }

        using var metadata = JsonDocument.Parse(record.Metadata);
        foreach (var member in metadata.RootElement.EnumerateObject().Where(member => member.Value.ValueKind == JsonValueKind.String))
            BrokenPromiseException.UnlessStorable(member.Value.GetString(), member.Name);
    }

    private static int? ElementsOf(byte[] body)
    {
        try
        {
            using var document = JsonDocument.Parse(body, Deep);
            return document.RootElement.ValueKind == JsonValueKind.Array ? document.RootElement.GetArrayLength() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
