using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace KeycloakCreditBridge.Outbox.Endpoints;

/// <summary>What is sent: an event as a CloudEvent in JSON, or several as a batch of them.</summary>
/// <param name="Id">The header `webhook-id`: the same whenever the same is sent again.</param>
/// <param name="MediaType">Of the body.</param>
/// <param name="Bytes">The body.</param>
internal sealed record EventBody(string Id, string MediaType, ReadOnlyMemory<byte> Bytes)
{
    // Enough that two batches do not meet.
    private const int BatchIdBytes = 16;

    /// <param name="events">At least one.</param>
    /// <param name="isBatch">Whether they are sent as a batch, also where it is one alone.</param>
    /// <param name="source">The `source` of CloudEvents.</param>
    public static EventBody Of(IReadOnlyList<OutboxEvent> events, bool isBatch, string source)
    {
        var buffer = new ArrayBufferWriter<byte>(512 * events.Count);
        using (var json = new Utf8JsonWriter(buffer))
        {
            if (isBatch)
                json.WriteStartArray();
            foreach (var told in events)
                Write(json, told, source);
            if (isBatch)
                json.WriteEndArray();
        }

        return isBatch
            ? new(BatchId(events), "application/cloudevents-batch+json", buffer.WrittenMemory)
            : new($"{events[0].Id}", "application/cloudevents+json", buffer.WrittenMemory);
    }

    private static void Write(Utf8JsonWriter json, OutboxEvent told, string source)
    {
        json.WriteStartObject();
        json.WriteString("specversion", "1.0");
        json.WriteString("id", told.Id);
        json.WriteString("source", source);
        json.WriteString("type", told.Type);
        json.WriteString("subject", told.AccountId);
        json.WriteString("time", told.At.UtcDateTime);
        json.WriteString("datacontenttype", "application/json");
        json.WritePropertyName("data");
        json.WriteRawValue(told.Data);
        json.WriteEndObject();
    }

    private static string BatchId(IEnumerable<OutboxEvent> events)
    {
        var ids = Encoding.ASCII.GetBytes(string.Join(',', events.Select(told => told.Id)));
        return $"batch-{Convert.ToHexStringLower(SHA256.HashData(ids)[..BatchIdBytes])}";
    }
}
