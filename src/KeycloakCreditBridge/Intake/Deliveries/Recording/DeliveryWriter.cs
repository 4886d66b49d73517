using System.Threading.Channels;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Intake.Deliveries.Recording;

/// <summary>
/// Rows wait in memory and are written in groups by one writer: a webhook never waits for its row, and fails with none. While many come,
/// they wait for the end of the burst. What the memory does not hold while the database is away is counted as lost.
/// </summary>
internal sealed partial class DeliveryWriter(
    DeliveryStore store, UnprovenCounts unproven, SchemaGate gate, IntakeMetrics metrics, IOptions<DeliveriesOptions> options,
    TimeProvider clock, ILogger<DeliveryWriter> logger) : BackgroundService
{
    private const int MostWaiting = 20_000;
    private const int MostAtOnce = 5_000;
    private const int BurstInPause = 100;
    private const int MostBodyCharacters = 4 * 1024 * 1024;

    // Long enough that a quiet realm's rows share a commit, short enough that who looks after a delivery sees it.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestBurst = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan CountEvery = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestRetryDelay = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(2);

    private readonly Channel<RecordedDelivery> _waiting = Channel.CreateBounded<RecordedDelivery>(
        new BoundedChannelOptions(MostWaiting) { SingleReader = true });

    private readonly List<RecordedDelivery> _batch = [];
    private readonly bool _isOn = options.Value.Keep > TimeSpan.Zero;
    private DateTimeOffset _nextCount = DateTimeOffset.MinValue;
    private int _bodyCharacters;

    /// <summary>Takes a row, or counts it as lost where too many wait.</summary>
    public void Add(RecordedDelivery delivery)
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

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!_isOn)
            return;
        try
        {
            await gate.WaitAsync(stoppingToken);
            await new BackgroundLoop(clock, LongestRetryDelay, Failed, LogWritingAgain)
                .RunAsync(WriteAsync, PauseAsync, stoppingToken);
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

    /// <summary>Whether rows wait for the end of a burst, so that its hints have the database to themselves.</summary>
    /// <param name="added">Rows that came within the last pause.</param>
    /// <param name="waiting">All rows that wait.</param>
    /// <param name="waited">How long the burst has lasted.</param>
    internal static bool WaitsForCalm(int added, int waiting, TimeSpan waited) =>
        added >= BurstInPause && waiting < MostWaiting / 2 && waited < LongestBurst;

    private async Task PauseAsync(CancellationToken cancellationToken)
    {
        var started = clock.GetTimestamp();
        int before;
        do
        {
            before = _waiting.Reader.Count;
            await Task.Delay(Pause, clock, cancellationToken);
        }
        while (WaitsForCalm(_waiting.Reader.Count - before, _waiting.Reader.Count, clock.GetElapsedTime(started)));
    }

    private async Task<bool> WriteAsync(CancellationToken cancellationToken)
    {
        // A group whose commit was not confirmed is tried as it was.
        var isNew = _batch.Count == 0;
        while (isNew && _batch.Count < MostAtOnce && _waiting.Reader.TryRead(out var next))
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
