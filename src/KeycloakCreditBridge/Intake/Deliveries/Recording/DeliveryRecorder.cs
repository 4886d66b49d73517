using System.Threading.Channels;
using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Intake.Deliveries.Recording;

/// <summary>
/// Remembers what came in and what came of it. Rows wait in memory and are written in groups by one writer: a webhook never waits for
/// its row, and fails with none. What the memory does not hold while the database is away is counted as lost.
/// </summary>
internal sealed partial class DeliveryRecorder(
    DeliveryStore store, UnprovenCounts unproven, SchemaGate gate, IntakeMetrics metrics, IOptions<DeliveriesOptions> options,
    TimeProvider clock, ILogger<DeliveryRecorder> logger) : BackgroundService
{
    private const int MostWaiting = 20_000;
    private const int MostAtOnce = 5_000;
    private const int LongestText = 200;
    private const int MostBodyCharacters = 4 * 1024 * 1024;

    // Long enough that a quiet realm's rows share a commit, short enough that who looks after a delivery sees it.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan CountEvery = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestRetryDelay = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(2);

    private readonly Channel<RecordedDelivery> _waiting = Channel.CreateBounded<RecordedDelivery>(
        new BoundedChannelOptions(MostWaiting) { SingleReader = true });

    private readonly List<RecordedDelivery> _batch = [];
    private readonly bool _isOn = options.Value.Keep > TimeSpan.Zero;
    private DateTimeOffset _nextCount = DateTimeOffset.MinValue;
    private int _bodyCharacters;

    /// <summary>A request has come; null where nothing is remembered.</summary>
    public Arrival? Begin() => _isOn ? new Arrival(clock.GetUtcNow(), clock.GetTimestamp()) : null;

    /// <summary>A request is answered. Without a proof it is only counted.</summary>
    public void End(Arrival? arrival, HttpContext context, string outcome, string? reason = null)
    {
        if (arrival is null)
            return;
        if (!arrival.IsProven)
        {
            unproven.Add(arrival.At, arrival.Realm, outcome == DeliveryOutcomes.Refused ? reason ?? outcome : "unsigned", context.Request);
            return;
        }

        AddOne(arrival, DeliveryWays.Webhook, outcome, reason);
    }

    /// <summary>An event of the broker was taken.</summary>
    /// <param name="arrival">When it had come, and what it says.</param>
    /// <param name="outcome">See <see cref="DeliveryOutcomes"/>.</param>
    /// <param name="reason">Why it was ignored or refused.</param>
    public void EndMessage(Arrival? arrival, string outcome, string? reason = null)
    {
        if (arrival is not null)
            AddOne(arrival, DeliveryWays.Broker, outcome, reason);
    }

    private void AddOne(Arrival arrival, string way, string outcome, string? reason) =>
        Add(New(arrival.At, arrival.Realm, way, outcome) with
        {
            Format = arrival.Format,
            Event = Shown(arrival.Event),
            KeycloakId = arrival.Hint?.UserId,
            Kind = KindOf(arrival.Hint),
            Reason = Shown(reason),
            Hints = outcome == DeliveryOutcomes.Stored ? 1 : 0,
            Duration = clock.GetElapsedTime(arrival.Started),
            TraceId = RecordedDelivery.CurrentTrace,
            Body = outcome == DeliveryOutcomes.Refused ? arrival.Body : null,
        });

    /// <summary>A page of a stream was read that had new events.</summary>
    /// <param name="arrival">When the page had come.</param>
    /// <param name="stream">The stream of events.</param>
    /// <param name="events">How many events were new.</param>
    /// <param name="hints">How many of them concern a user.</param>
    /// <param name="failure">Why the hints were not stored; null where they were.</param>
    public void EndBatch(Arrival? arrival, string stream, int events, int hints, Exception? failure)
    {
        if (arrival is null || events == 0)
            return;
        var outcome = failure is not null ? DeliveryOutcomes.NotStored : hints > 0 ? DeliveryOutcomes.Stored : DeliveryOutcomes.Ignored;
        Add(New(arrival.At, arrival.Realm, DeliveryWays.Poll, outcome) with
        {
            Format = stream,
            Reason = failure is not null ? Shown(PrivilegeErrors.Describe(failure)) : hints > 0 ? null : "no_user",
            Events = events,
            Hints = failure is null ? hints : 0,
            Duration = clock.GetElapsedTime(arrival.Started),
            TraceId = RecordedDelivery.CurrentTrace,
        });
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!_isOn)
            return;
        try
        {
            await gate.WaitAsync(stoppingToken);
            await new BackgroundLoop(clock, LongestRetryDelay, Failed, LogWritingAgain)
                .RunAsync(WriteAsync, token => Task.Delay(Pause, clock, token), stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await WriteRestAsync();
        }

        void Failed(Exception exception, bool isNew)
        {
            if (!isNew)
                return;
            var reason = PrivilegeErrors.Describe(exception).ReplaceLineEndings(" ");
            LogNotWritten(reason);
        }
    }

    private static RecordedDelivery New(DateTimeOffset at, string realm, string way, string outcome)
    {
        var id = Guid.CreateVersion7(at);
        return new RecordedDelivery(id, RecordedDelivery.TimeOf(id), realm, way, outcome);
    }

    private static string? KindOf(UserHint? hint) => hint?.Kind switch
    {
        null => null,
        HintKind.Deleted => "deleted",
        HintKind.Seen => "seen",
        _ => "changed",
    };

    // Senders are free to write anything into a type, also what PostgreSQL takes for no text.
    private static string? Shown(string? text) =>
        text is null ? null : VisibleText.Of(text.Length <= LongestText ? text : text[..LongestText]);

    private void Add(RecordedDelivery delivery)
    {
        if (delivery.Body is { } body && Interlocked.Add(ref _bodyCharacters, body.Length) > MostBodyCharacters)
        {
            Interlocked.Add(ref _bodyCharacters, -body.Length);
            delivery = delivery with { Body = null };
        }

        if (_waiting.Writer.TryWrite(delivery))
            return;
        Interlocked.Add(ref _bodyCharacters, -(delivery.Body?.Length ?? 0));
        metrics.DeliveryNotRecorded(delivery.Realm);
    }

    private async Task<bool> WriteAsync(CancellationToken cancellationToken)
    {
        while (_batch.Count < MostAtOnce && _waiting.Reader.TryRead(out var next))
            _batch.Add(next);
        if (_batch.Count > 0)
        {
            await AddAsync(cancellationToken);
            Interlocked.Add(ref _bodyCharacters, -_batch.Sum(delivery => delivery.Body?.Length ?? 0));
            _batch.Clear();
        }

        await CountAsync(cancellationToken);
        // Many that come at once are written in turns, between which webhooks are answered.
        return false;
    }

    // A row that the database refuses for what it holds is lost alone.
    private async Task AddAsync(CancellationToken cancellationToken)
    {
        try
        {
            await store.AddAsync(_batch, cancellationToken);
        }
        catch (PostgresException exception) when (PostgresErrors.IsCausedByData(exception))
        {
            foreach (var delivery in _batch)
            {
                try
                {
                    await store.AddAsync([delivery], cancellationToken);
                }
                catch (PostgresException refusal) when (PostgresErrors.IsCausedByData(refusal))
                {
                    metrics.DeliveryNotRecorded(delivery.Realm);
                }
            }
        }
    }

    private async Task CountAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        // A clock that was set back does not stop the counting.
        if (now < _nextCount && _nextCount - now <= CountEvery)
            return;
        _nextCount = now + CountEvery;
        var counts = unproven.Take();
        if (counts.Count == 0)
            return;
        try
        {
            await store.CountAsync(counts, cancellationToken);
        }
        catch
        {
            unproven.PutBack(counts);
            throw;
        }
    }

    private async Task WriteRestAsync()
    {
        using var timeout = new CancellationTokenSource(EndTimeout);
        try
        {
            _nextCount = DateTimeOffset.MinValue;
            do
                await WriteAsync(timeout.Token);
            while (_waiting.Reader.TryPeek(out _));
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            var (count, reason) = (_batch.Count + _waiting.Reader.Count, PrivilegeErrors.Describe(exception).ReplaceLineEndings(" "));
            LogRestNotWritten(count, reason);
        }
    }

    [LoggerMessage(EventId = 230, Level = LogLevel.Warning,
        Message = "What came in is not recorded, because the table of deliveries takes no rows; webhooks and polls go on: {Reason}")]
    private partial void LogNotWritten(string reason);

    [LoggerMessage(EventId = 231, Level = LogLevel.Information, Message = "What came in is recorded again.")]
    private partial void LogWritingAgain();

    [LoggerMessage(EventId = 232, Level = LogLevel.Debug, Message = "{Count} deliveries were not recorded at the end: {Reason}")]
    private partial void LogRestNotWritten(int count, string reason);
}
