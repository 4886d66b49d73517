using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace KeycloakCreditBridge.Tests.Telemetry;

/// <summary>A span as a receiver of OTLP sees it.</summary>
/// <param name="Links">Ids of the traces that it links to.</param>
internal sealed record ReceivedSpan(string Trace, string Name, IReadOnlyList<string> Links);

/// <summary>Receives spans over OTLP as protobuf, and counts the requests for metrics and logs.</summary>
internal sealed class OtlpReceiverFixture : IAsyncDisposable
{
    private readonly ConcurrentQueue<ReceivedSpan> _spans = new();
    private readonly ConcurrentDictionary<string, int> _requests = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _logs = new();
    private readonly WebApplication _app;

    private OtlpReceiverFixture()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _app = builder.Build();
        _app.MapPost("/v1/{signal}", async (string signal, HttpRequest request) =>
        {
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body);
            _requests.AddOrUpdate(signal, 1, (_, count) => count + 1);
            if (signal == "traces")
                Read(body.ToArray());
            if (signal == "logs")
                _logs.Enqueue(Encoding.Latin1.GetString(body.ToArray()));
        });
    }

    public IReadOnlyCollection<ReceivedSpan> Spans => _spans;

    /// <summary>OpenTelemetry's variables that make a bridge send to this receiver at once.</summary>
    public Dictionary<string, string> Settings => new(StringComparer.Ordinal)
    {
        ["OTEL_EXPORTER_OTLP_ENDPOINT"] = _app.Urls.First(),
        ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
        ["OTEL_BSP_SCHEDULE_DELAY"] = "50",
        ["OTEL_BLRP_SCHEDULE_DELAY"] = "50",
        ["OTEL_METRIC_EXPORT_INTERVAL"] = "200",
    };

    public static async Task<OtlpReceiverFixture> StartAsync()
    {
        var receiver = new OtlpReceiverFixture();
        await receiver._app.StartAsync(TestContext.Current.CancellationToken);
        return receiver;
    }

    /// <summary>Whether something of a signal, `traces`, `metrics` or `logs`, came.</summary>
    public bool Has(string signal) => _requests.ContainsKey(signal);

    /// <summary>Whether a line came whose text or fields contain this.</summary>
    public bool HasLine(string text) => _logs.Any(body => body.Contains(text, StringComparison.Ordinal));

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    // ExportTraceServiceRequest holds ResourceSpans (1), which hold ScopeSpans (2), which hold Spans (2); a link's trace is its field 1.
    private void Read(ReadOnlyMemory<byte> request)
    {
        foreach (var span in Fields(request, 1).SelectMany(ofResource => Fields(ofResource, 2)).SelectMany(ofScope => Fields(ofScope, 2)))
        {
            _spans.Enqueue(new ReceivedSpan(
                Hex(Fields(span, 1).Single()), Encoding.UTF8.GetString(Fields(span, 5).Single().Span),
                [.. Fields(span, 13).Select(link => Hex(Fields(link, 1).Single()))]));
        }
    }

    private static string Hex(ReadOnlyMemory<byte> id) => Convert.ToHexStringLower(id.Span);

    // Values of a protobuf message's fields of one number that hold bytes; the others are passed over.
    private static List<ReadOnlyMemory<byte>> Fields(ReadOnlyMemory<byte> message, int number)
    {
        List<ReadOnlyMemory<byte>> found = [];
        for (var at = 0; at < message.Length;)
        {
            var key = Varint(message.Span, ref at);
            var length = (key & 7) switch
            {
                0 => SkipVarint(message.Span, ref at),
                1 => 8,
                2 => (int)Varint(message.Span, ref at),
                5 => 4,
                _ => throw new InvalidDataException($"Wire type {key & 7}."),
            };
            if ((key & 7) == 2 && (int)(key >> 3) == number)
                found.Add(message.Slice(at, length));
            at += length;
        }

        return found;
    }

    private static int SkipVarint(ReadOnlySpan<byte> bytes, ref int at)
    {
        _ = Varint(bytes, ref at);
        return 0;
    }

    private static ulong Varint(ReadOnlySpan<byte> bytes, ref int at)
    {
        var value = 0UL;
        for (var shift = 0; ; shift += 7)
        {
            var next = bytes[at++];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
                return value;
        }
    }
}
