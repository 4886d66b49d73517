using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using KeycloakCreditBridge.Chaos.Fuzzing.Bodies;
using KeycloakCreditBridge.Chaos.Fuzzing.Readers;
using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Chaos.Fuzzing;

/// <summary>Has every reader of foreign bodies read fuzzed ones: each is read or refused, and nothing else happens.</summary>
/// <param name="seed">The same seed makes the same bodies.</param>
[SuppressMessage("Security", "CA5394", Justification = "A seed has to make the same bodies each time.")]
[SuppressMessage("Design", "CA1031", Justification = "Whatever a reader throws is what is looked for.")]
internal sealed class FuzzRun(int seed)
{
    private const int MostFindings = 20;
    private const int WarmUp = 400;

    private static readonly FuzzReader[] Readers =
    [
        new("webhook", BodyKind.Delivery, DeliveryReading.Webhook),
        new("broker", BodyKind.Delivery, DeliveryReading.Broker),
        new("sender", BodyKind.Delivery, DeliveryReading.Sender),
        new("meter", BodyKind.Report, (body, _) => MeterReading.Report(body)),
        new("lenient JSON", BodyKind.Report, (body, _) => MeterReading.Lenient(body)),
        new("gate", BodyKind.Question, (body, _) => MeterReading.Gate(body)),
        new("API", BodyKind.Request, ApiReading.Fields),
        new("error", BodyKind.Error, (body, _) => ServerError.Read(body).Code is not null),
    ];

    private readonly Dictionary<string, FuzzTally> _tallies = Readers.ToDictionary(reader => reader.Name, _ => new FuzzTally());
    private readonly ConcurrentQueue<string> _findings = new();

    /// <summary>What readers did that they must not do, each with the number of its body.</summary>
    public IReadOnlyCollection<string> Findings => _findings;

    /// <summary>By the reader's name.</summary>
    public IReadOnlyDictionary<string, FuzzTally> Tallies => _tallies;

    /// <summary>Reads the bodies of these numbers, each by the reader that it is made for.</summary>
    public void Read(int first, int count, int threads)
    {
        // What is made once, such as a serializer, is no body's.
        for (var number = 0; number < WarmUp; number++)
            Read(number, isCounted: false);
        Parallel.For(first, first + count, new ParallelOptions { MaxDegreeOfParallelism = threads }, number =>
        {
            if (_findings.Count < MostFindings)
                Read(number, isCounted: true);
        });
    }

    private void Read(int number, bool isCounted)
    {
        var reader = Readers[number % Readers.Length];
        var random = new Random(unchecked((seed * 1_000_003) + number));
        var body = new BodyMaker(random).Make(reader.Kind);
        var (allocated, start) = (GC.GetAllocatedBytesForCurrentThread(), Stopwatch.GetTimestamp());
        try
        {
            var isTaken = reader.Read(body, random);
            if (isCounted)
                _tallies[reader.Name].Add(
                    isTaken, body.Length, GC.GetAllocatedBytesForCurrentThread() - allocated, Stopwatch.GetElapsedTime(start));
        }
        catch (Exception exception)
        {
            if (isCounted)
                _findings.Enqueue($"body {number} of seed {seed}, {reader.Name}: {exception}\n{Convert.ToBase64String(body)}");
        }
    }
}

/// <param name="Read">Whether a body is taken; it throws what is a finding. The random number chooses how it is sent.</param>
internal sealed record FuzzReader(string Name, BodyKind Kind, Func<byte[], Random, bool> Read);

/// <summary>What came of the bodies of one reader.</summary>
internal sealed class FuzzTally
{
    private readonly Lock _gate = new();

    public long Taken { get; private set; }

    public long Refused { get; private set; }

    /// <summary>The most that one body had allocated, in bytes.</summary>
    public long MostAllocated { get; private set; }

    /// <summary>The most that one body had allocated for each of its bytes, beyond what even an empty one takes.</summary>
    public double MostPerByte { get; private set; }

    public TimeSpan Slowest { get; private set; }

    public void Add(bool isTaken, int length, long allocated, TimeSpan took)
    {
        const long apart = 16 * 1024 * 1024;
        lock (_gate)
        {
            if (isTaken)
                Taken++;
            else
                Refused++;
            MostAllocated = Math.Max(MostAllocated, allocated);
            MostPerByte = Math.Max(MostPerByte, (double)Math.Max(0, allocated - apart) / Math.Max(1, length));
            Slowest = took > Slowest ? took : Slowest;
        }
    }
}
