using KeycloakCreditBridge.Hosting;

namespace KeycloakCreditBridge.Tests.Hosting;

public sealed class BackgroundLoopTests : IDisposable
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(8);

    private readonly ManualTimeProvider _clock = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<(string Error, bool IsNew)> _failures = [];
    private readonly List<DateTimeOffset> _rounds = [];
    private int _recoveries;

    [Fact]
    public async Task Each_kind_of_failure_is_new_once_until_the_work_succeeds()
    {
        await RunAsync(Loop(), new IOException("a"), new IOException("b"), new TimeoutException("c"), new IOException(
            "d"), null, null, new IOException("e"), null);

        Assert.Equal([("a", true), ("b", false), ("c", true), ("d", false), ("e", true)], _failures);
        Assert.Equal(2, _recoveries);
    }

    [Fact]
    public async Task Pauses_after_failures_grow_up_to_the_longest_and_begin_anew_after_a_success()
    {
        await RunAsync(Loop(), [.. Enumerable.Repeat(new IOException("a"), 8), null, new IOException("b"), null]);

        TimeSpan[] pauses = [.. _rounds.Zip(_rounds.Skip(1), (before, after) => after - before)];
        Assert.All(pauses.Index().Take(8), pause => Assert.InRange(
            pause.Item.TotalSeconds, Math.Min(8, Math.Pow(2, pause.Index)) / 2, Math.Min(8, Math.Pow(2, pause.Index)) + 0.1));
        Assert.Equal(TimeSpan.Zero, pauses[8]);
        Assert.InRange(pauses[9].TotalSeconds, 0.5, 1.1);
    }

    [Fact]
    public async Task An_error_may_ask_for_a_longer_pause_within_the_longest()
    {
        var loop = new BackgroundLoop(
            _clock, Longest, Failed) { RetryAfter = exception => TimeSpan.FromSeconds(int.Parse(exception.Message, null)) };
        await RunAsync(loop, new IOException("6"), new IOException("600"), null);

        Assert.InRange((_rounds[1] - _rounds[0]).TotalSeconds, 6, 6.1);
        Assert.InRange((_rounds[2] - _rounds[1]).TotalSeconds, 8, 8.1);
    }

    [Fact]
    public async Task An_error_that_meets_the_stop_is_not_reported()
    {
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Loop().RetryAsync(
            async _ =>
            {
                await _stopping.CancelAsync();
                throw new IOException("interrupted by the stop");
            },
            _stopping.Token));

        Assert.Empty(_failures);
    }

    [Fact]
    public async Task A_timeout_of_the_work_is_a_failure_and_no_stop()
    {
        await RunAsync(Loop(), new TaskCanceledException("no answer in time"), null);

        Assert.Equal([("no answer in time", true)], _failures);
    }

    public void Dispose() => _stopping.Dispose();

    private BackgroundLoop Loop() => new(_clock, Longest, Failed, () => _recoveries++);

    private void Failed(Exception exception, bool isNew) => _failures.Add((exception.Message, isNew));

    // Null is a round that succeeds.
    private async Task RunAsync(BackgroundLoop loop, params Exception?[] rounds)
    {
        var running = Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => loop.RunAsync(RoundAsync, _ => Task.CompletedTask, _stopping.Token));
        await _clock.AdvanceUntilDoneAsync(running, TimeSpan.FromMilliseconds(50), TestContext.Current.CancellationToken);

        async Task<bool> RoundAsync(CancellationToken cancellationToken)
        {
            if (_rounds.Count == rounds.Length)
                await _stopping.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
            _rounds.Add(_clock.GetUtcNow());
            return rounds[_rounds.Count - 1] is { } exception ? throw exception : true;
        }
    }
}
