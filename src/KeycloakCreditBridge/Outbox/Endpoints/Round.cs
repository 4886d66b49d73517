using System.Collections.Concurrent;

namespace KeycloakCreditBridge.Outbox.Endpoints;

/// <summary>What came of events that were sent together.</summary>
internal sealed class Round
{
    private readonly ConcurrentDictionary<long, SendResult> _results = [];
    private int _taken;
    private int _refused;

    /// <summary>Requests or messages that the endpoint took.</summary>
    public int Taken => _taken;

    /// <summary>Those that it did not take.</summary>
    public int Refused => _refused;

    /// <summary>What came of the events, by their places. One that was not sent, because of another one, has no result.</summary>
    public IReadOnlyDictionary<long, SendResult> Results => _results;

    /// <summary>Keeps what came of one request or message.</summary>
    public void Add(IEnumerable<OutboxEvent> events, SendResult result)
    {
        foreach (var told in events)
            _results[told.Seq] = result;
        Interlocked.Increment(ref result.Error is null ? ref _taken : ref _refused);
    }
}

/// <summary>What came of a request or message.</summary>
/// <param name="Error">Why it is sent again; null when the endpoint has it.</param>
internal sealed record SendResult(string? Error)
{
    public static readonly SendResult Sent = new((string?)null);

    /// <summary>Whether the endpoint wants no more events.</summary>
    public bool IsEnd { get; init; }

    /// <summary>How long the endpoint asks to be left alone.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
