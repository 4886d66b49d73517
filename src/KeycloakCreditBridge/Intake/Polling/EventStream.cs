using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Grants.Review.Signals.Origins;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Intake.Deliveries.Recording;
using KeycloakCreditBridge.Keycloak.Events;

namespace KeycloakCreditBridge.Intake.Polling;

/// <summary>
/// Reads one stream of events and turns them into durable hints. An event appears when its transaction commits, which may be minutes
/// after its time, so no event counts as passed: every poll reads from before the watermark, a sweep from a whole overlap before it, and an
/// event that was read already is recognised by its fingerprint. All times are Keycloak's; the bridge's clock only makes a poll read
/// further back.
/// </summary>
internal sealed class EventStream(
    EventSource source, HintWriter writer, PollCursorStore cursors, EventLossReporter losses, DeliveryRecorder deliveries,
    PollOptions options, TimeProvider clock)
{
    // How far a poll between sweeps reads back: most events appear within it, and a busy realm reads few of them twice.
    private static readonly TimeSpan Recent = TimeSpan.FromSeconds(10);

    // No bridge and no Keycloak is older.
    private static readonly DateTimeOffset Beginning = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly Dictionary<string, long> _seen = new(StringComparer.Ordinal);
    private PollCursor? _cursor;
    private DateTimeOffset? _firstStart;
    private bool _loaded;

    public string Name => source.Stream;

    /// <summary>Keeps from where users registered; null to keep nothing.</summary>
    public OriginRecorder? Origins { get; init; }

    /// <summary>How long Keycloak keeps an event. What is younger does not go away by itself.</summary>
    public TimeSpan Retention { get; set; } = TimeSpan.MaxValue;

    /// <summary>Has the cursor read again from the database, where another poller may have moved it.</summary>
    public void Reload() => _loaded = false;

    /// <summary>
    /// Reads what is new, page by page, and yields for each page how many hints it brought. When a page was yielded its hints are durable
    /// and the cursor has moved.
    /// </summary>
    public async IAsyncEnumerable<int> PollAsync(bool sweep, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var started = clock.GetUtcNow();
        if (!_loaded)
            _cursor = await cursors.FindAsync(source.Realm, Name, cancellationToken);
        _loaded = true;

        var lastEvent = new LastEventCheck(_cursor);
        var from = await StartAsync(sweep, cancellationToken);
        var remembered = from;
        EventQuery? query = new(from, First: 0, options.PageSize, Ascending: true);
        while (query is not null)
        {
            var page = await source.List(query, cancellationToken);
            query = page.Count == 0 ? null : query.Next(page.Count, page[^1].Time);
            // Before the cursor moves on: a poll that is interrupted in between finds it again.
            if (lastEvent.IsMissing(page, isLast: query is null))
                await ReportDeletedAsync(started, cancellationToken);
            yield return await TakeAsync(page, started, cancellationToken);
            // A backlog of weeks is not kept in memory: no sweep to come reads further back than this.
            if (_cursor is not null && SweepStart(_cursor) - remembered > options.Overlap)
                Forget(remembered = SweepStart(_cursor));
        }

        if (_cursor is not null)
            await EndAsync(_cursor with { PolledAt = started }, sweep, cancellationToken);
        if (sweep)
            Forget(remembered);
    }

    private async Task<DateTimeOffset> StartAsync(bool sweep, CancellationToken cancellationToken)
    {
        if (_cursor is null)
            return _firstStart ??= await FirstStartAsync(cancellationToken);
        return sweep ? SweepStart(_cursor) : Before(_cursor, Recent);
    }

    private DateTimeOffset SweepStart(PollCursor cursor) => Before(cursor, options.Overlap);

    // A watermark in the future comes from a clock that was wrong; events with right times are still found, and those since the last poll
    // are all new.
    private DateTimeOffset Before(PollCursor cursor, TimeSpan span) =>
        new[] { cursor.Watermark, cursor.PolledAt, clock.GetUtcNow() }.Min() - span;

    // Keycloak's newest event gives Keycloak's time. Where there is none yet, everything that will come is new.
    private async Task<DateTimeOffset> FirstStartAsync(CancellationToken cancellationToken)
    {
        var newest = await source.List(new EventQuery(Beginning, First: 0, Max: 1, Ascending: false), cancellationToken);
        return newest.Count == 0 ? Beginning : TimeOf(newest[0]) - options.Overlap;
    }

    private async Task<int> TakeAsync(IReadOnlyList<PolledEvent> page, DateTimeOffset started, CancellationToken cancellationToken)
    {
        PolledEvent[] fresh = [.. page.Where(happened => !_seen.ContainsKey(happened.Fingerprint))];
        UserHint[] hints = [.. fresh.Select(happened => happened.Hint).OfType<UserHint>()];
        // Before the hints: who assesses a user finds it.
        if (Origins is not null)
            await Origins.RecordAsync(source.Realm, [.. fresh.Select(happened => happened.Origin).OfType<Origin>()], cancellationToken);
        await WriteAsync(fresh.Length, hints, cancellationToken);
        if (fresh.Any(happened => happened.IsOverwrite))
            losses.ReportOverwritten(source.Realm);
        foreach (var happened in fresh)
            _seen[happened.Fingerprint] = happened.Time;
        if (page.MaxBy(happened => happened.Time) is { } newest && (_cursor is null || TimeOf(newest) > _cursor.Watermark))
            await SaveAsync(new PollCursor(TimeOf(newest), newest.Fingerprint, _cursor?.PolledAt ?? started), cancellationToken);
        return hints.Length;
    }

    private async Task WriteAsync(int events, UserHint[] hints, CancellationToken cancellationToken)
    {
        var arrival = deliveries.Begin();
        arrival?.Realm = source.Realm;
        try
        {
            await writer.WriteAsync(hints, cancellationToken);
            deliveries.EndBatch(arrival, Name, events, hints.Length, failure: null);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            deliveries.EndBatch(arrival, Name, events, hints.Length, exception);
            throw;
        }
    }

    private async Task ReportDeletedAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        var missed = MayHaveMissed(_cursor!, now);
        if (missed)
            losses.ReportDeleted(source.Realm, Name, _cursor!.Watermark);
        if (missed || _cursor!.LastEvent is not null)
            await SaveAsync(_cursor! with { LastEvent = null, PolledAt = now }, cancellationToken);
    }

    // Expiry deletes only events older than the retention: a bridge that polled within the retention has read them all.
    // An event that was deleted before it expired was wiped, and unread events with it.
    private bool MayHaveMissed(PollCursor known, DateTimeOffset now)
    {
        var surelyKept = Retention - (options.Overlap < Retention / 2 ? options.Overlap : Retention / 2);
        return now - known.PolledAt >= surelyKept || (known.LastEvent is not null && now - known.Watermark < surelyKept);
    }

    // The moment of the last poll matters only after a long absence: once a sweep is often enough to write it down.
    private async Task EndAsync(PollCursor polled, bool sweep, CancellationToken cancellationToken)
    {
        if (sweep)
            await SaveAsync(polled, cancellationToken);
        _cursor = polled;
    }

    private async Task SaveAsync(PollCursor moved, CancellationToken cancellationToken)
    {
        await cursors.SaveAsync(source.Realm, Name, moved, cancellationToken);
        _cursor = moved;
    }

    private void Forget(DateTimeOffset readFrom)
    {
        var oldest = readFrom.ToUnixTimeMilliseconds();
        foreach (var (fingerprint, time) in _seen)
        {
            if (time < oldest)
                _seen.Remove(fingerprint);
        }
    }

    private static DateTimeOffset TimeOf(PolledEvent happened) => DateTimeOffset.FromUnixTimeMilliseconds(happened.Time);
}

/// <summary>Watches, while pages go by in ascending order, whether the newest event read so far is still there.</summary>
internal sealed class LastEventCheck(PollCursor? known)
{
    private bool _decided = known is null;

    /// <summary>True once: when the pages passed the event's time without it.</summary>
    public bool IsMissing(IReadOnlyList<PolledEvent> page, bool isLast)
    {
        if (_decided)
            return false;
        var stands = page.Any(happened => happened.Fingerprint == known!.LastEvent);
        _decided = stands || isLast || page[^1].Time > known!.Watermark.ToUnixTimeMilliseconds();
        return _decided && !stands;
    }
}
