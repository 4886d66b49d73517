using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Outbox.Endpoints;
using KeycloakCreditBridge.Outbox.Reading;

namespace KeycloakCreditBridge.Outbox.Sending;

/// <summary>
/// Sends events to one endpoint, by the replica that holds its lease. What was sent is kept after the answer: a process that is killed in
/// between has the events sent once more, under the same ids.
/// </summary>
internal sealed partial class EndpointSender(
    string name, EndpointOptions options, IEventSink sink, EndpointStore store, OutboxTip tip, OutboxMetrics metrics,
    TimeProvider clock, ILogger logger)
{
    public static readonly TimeSpan GiveUpAfter = TimeSpan.FromDays(3);

    public static readonly TimeSpan DisableAfter = TimeSpan.FromDays(5);

    private const int AtOnce = 1_000;

    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan LongestRetry = TimeSpan.FromHours(1);

    private readonly string[] _types = options.ChosenTypes;
    private int _failures;

    /// <summary>Sends what is due, once.</summary>
    /// <param name="cancellationToken">Ends the sending without keeping what it came to.</param>
    /// <returns>How long to wait before the next round; null when there was nothing to send.</returns>
    public async Task<TimeSpan?> RunAsync(CancellationToken cancellationToken)
    {
        if (await StateAsync(cancellationToken) is not { DisabledAt: null } state)
            return null;
        var last = await tip.AdvanceAsync(cancellationToken);
        var due = await store.DueAsync(name, clock.GetUtcNow(), AtOnce, cancellationToken);
        var next = state.Position < last ? await store.NextAsync(name, state.Position, last, _types, AtOnce, cancellationToken) : [];
        var position = next.Count == AtOnce ? next[^1].Seq : Math.Max(last, state.Position);
        if (due.Count == 0 && position == state.Position)
            return null;
        // An operator who has events sent again takes back what waits: what was read in between would come before it.
        if ((await store.StateAsync(name, cancellationToken))?.Position != state.Position)
            return TimeSpan.Zero;

        var round = await sink.RoundAsync(
            [.. due.Concat(next.Where(one => !one.IsBehind)).Select(one => one.Event)], cancellationToken);
        return round is { Taken: 0, Refused: > 0 }
            ? await FailAsync(state, round, due, cancellationToken)
            : await KeepAsync(state, round, due, next, position, cancellationToken);
    }

    private async Task<EndpointState?> StateAsync(CancellationToken cancellationToken)
    {
        if (await store.StateAsync(name, cancellationToken) is { } known)
            return known;
        await store.AddAsync(name, cancellationToken);
        LogAdded(name);
        return await store.StateAsync(name, cancellationToken);
    }

    private async Task<TimeSpan?> KeepAsync(
        EndpointState state, Round round, IReadOnlyList<DueEvent> due, IReadOnlyList<DueEvent> next, long position,
        CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        // What was due and not sent stays as it is.
        List<WaitingEvent> waiting =
        [
            .. due.Where(one => Error(round, one) is { Length: > 0 }).Select(one => Later(one, Error(round, one), now)),
            .. next.Where(one => Error(round, one) is not null).Select(one => Later(one, Error(round, one), now)),
        ];
        var error = round.Results.Values.FirstOrDefault(result => result.Error is not null)?.Error;
        var isEnd = round.Results.Values.Any(result => result.IsEnd);
        var result = new RoundResult(
            name, state.Position, position, round.Taken > 0, error, isEnd,
            [.. due.Where(one => Error(round, one) is null).Select(one => one.Seq)], waiting);
        if (!await store.CompleteAsync(result, now, cancellationToken))
            return TimeSpan.Zero;
        _failures = 0;
        metrics.Sent(name, round.Results.Values.Count(one => one.Error is null));
        metrics.Failed(name, round.Refused);
        Report(waiting);
        if (isEnd)
            LogDisabled(name, error!);
        return TimeSpan.Zero;
    }

    // Nothing was taken: the endpoint is asked again with the same events, after a pause that grows.
    private async Task<TimeSpan?> FailAsync(
        EndpointState state, Round round, IReadOnlyList<DueEvent> due, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var failure = round.Results.Values.MaxBy(result => result.RetryAfter ?? TimeSpan.Zero)!;
        var isEnd = round.Results.Values.Any(result => result.IsEnd);
        var isOver = isEnd || state.FailingSince < now - DisableAfter;
        List<WaitingEvent> waiting =
            [.. due.Where(one => Error(round, one) is { Length: > 0 }).Select(one => Later(one, Error(round, one), now))];
        metrics.Failed(name, round.Refused);
        if (!await store.CompleteAsync(
            new RoundResult(name, state.Position, state.Position, false, failure.Error, isOver, [], waiting), now, cancellationToken))
            return TimeSpan.Zero;
        Report(waiting);
        if (isOver)
        {
            LogDisabled(name, failure.Error!);
            return null;
        }

        if (_failures++ == 0)
            LogFailing(name, failure.Error!);
        var lost = state.FailingSince < now - GiveUpAfter
            ? await store.GiveUpAsync(state, _types, now - GiveUpAfter, failure.Error!, now, cancellationToken)
            : 0;
        if (lost > 0)
        {
            metrics.GivenUp(name, lost);
            LogGivenUp(name, lost, failure.Error!);
        }

        var pause = RetryDelay.After(_failures, LongestPause);
        return failure.RetryAfter > pause ? failure.RetryAfter : pause;
    }

    // Null: taken. Empty: not sent, because of an earlier one of its account.
    private static string? Error(Round round, DueEvent due) =>
        round.Results.TryGetValue(due.Seq, out var result) ? result.Error : "";

    private static WaitingEvent Later(DueEvent due, string? error, DateTimeOffset now)
    {
        if (error is not { Length: > 0 })
            return new(due.Seq, 0, now, false, null);
        var attempts = due.Attempts + 1;
        return new(due.Seq, attempts, now + RetryDelay.After(attempts, LongestRetry), due.FailedAt < now - GiveUpAfter, error);
    }

    private void Report(IReadOnlyCollection<WaitingEvent> waiting)
    {
        var lost = waiting.Count(one => one.IsGivenUp);
        if (lost == 0)
            return;
        metrics.GivenUp(name, lost);
        LogGivenUp(name, lost, waiting.First(one => one.IsGivenUp).Error!);
    }

    [LoggerMessage(EventId = 1110, Level = LogLevel.Information,
        Message = "Endpoint {Endpoint} is new and gets the events about credits from here on.")]
    private partial void LogAdded(string endpoint);

    [LoggerMessage(EventId = 1111, Level = LogLevel.Warning,
        Message = "Endpoint {Endpoint} takes no events, and is asked again: {Reason}")]
    private partial void LogFailing(string endpoint, string reason);

    [LoggerMessage(EventId = 1112, Level = LogLevel.Error,
        Message = "Nothing is sent to endpoint {Endpoint} any more: {Reason}. Once it is repaired, run `events replay {Endpoint}`.")]
    private partial void LogDisabled(string endpoint, string reason);

    [LoggerMessage(EventId = 1113, Level = LogLevel.Error,
        Message = "{Count} events were not taken by endpoint {Endpoint} for three days and are given up: {Reason}")]
    private partial void LogGivenUp(string endpoint, long count, string reason);
}
