using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Intake.Polling;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Intake.Polling;

public sealed class EventStreamTests(PostgresFixture postgres) : IDisposable
{
    private static readonly DateTimeOffset Noon = new(2026, 12, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly PollOptions Options = new() { PageSize = 10 };

    private readonly StoredEvents _events = new();
    private readonly LostEventsSignal _requests = new();
    private readonly ManualTimeProvider _clock = new(Noon);
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().AddSingleton<IntakeMetrics>().BuildServiceProvider();

    private HintWriter? _writer;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_first_start_reads_back_from_the_newest_event_whatever_the_clocks_say()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var keycloaks = Noon.AddHours(-3);
        _events.Add("too-old", keycloaks.AddMinutes(-11));
        _events.Add("recent", keycloaks.AddMinutes(-9));
        _events.Add("newest", keycloaks);
        Assert.Equal(2, await PollAsync(Stream(database), sweep: true));
        Assert.Equal(["newest", "recent"], await HintsAsync(database));
    }

    [Fact]
    public async Task In_an_empty_store_everything_that_comes_is_new()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var stream = Stream(database);
        Assert.Equal(0, await PollAsync(stream, sweep: true));
        _events.Add("first", Noon.AddHours(-1));
        _events.Add("second", Noon);
        Assert.Equal(2, await PollAsync(stream));
    }

    [Fact]
    public async Task An_event_that_appears_late_is_found_within_seconds_or_by_the_next_sweep()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var stream = Stream(database);
        _events.Add("on-time", Noon);
        await PollAsync(stream, sweep: true);
        _events.Add("seconds-late", Noon.AddSeconds(-9));
        _events.Add("minutes-late", Noon.AddMinutes(-6));
        Assert.Equal(1, await PollAsync(stream));
        Assert.Equal(1, await PollAsync(stream, sweep: true));
        Assert.Equal(0, await PollAsync(stream, sweep: true));
        Assert.Equal(["minutes-late", "on-time", "seconds-late"], await HintsAsync(database));
    }

    [Fact]
    public async Task Pages_full_of_one_millisecond_lose_and_repeat_nothing()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        for (var number = 0; number < 35; number++)
            _events.Add($"tied-{number:D2}", Noon);
        for (var number = 0; number < 12; number++)
            _events.Add($"after-{number:D2}", Noon.AddMilliseconds(1 + (number / 3)));
        Assert.Equal(47, await PollAsync(Stream(database), sweep: true));
        Assert.Equal(47, (await HintsAsync(database)).Count);
    }

    [Fact]
    public async Task A_restart_hints_the_users_of_the_overlap_once_more_and_no_others()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        _events.Add("long-ago", Noon.AddMinutes(-30));
        _events.Add("recent", Noon.AddMinutes(-5));
        await PollAsync(Stream(database), sweep: true);
        _events.Add("while-stopped", Noon.AddHours(2));
        await database.ExecuteAsync("delete from user_hints");
        Assert.Equal(2, await PollAsync(Stream(database), sweep: true));
        Assert.Equal(["recent", "while-stopped"], await HintsAsync(database));
    }

    [Fact]
    public async Task The_cursor_never_passes_an_event_whose_hint_is_not_stored()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var stream = Stream(database);
        _events.Add("before", Noon);
        await PollAsync(stream, sweep: true);
        _events.Add("not-stored", Noon.AddMinutes(1));
        await database.ExecuteAsync("alter table user_hints rename to elsewhere");
        await Assert.ThrowsAsync<PostgresException>(() => PollAsync(stream));
        Assert.Equal(Noon, await WatermarkAsync(database));
        await database.ExecuteAsync("alter table elsewhere rename to user_hints");
        Assert.Equal(1, await PollAsync(stream));
        Assert.Equal(Noon.AddMinutes(1), await WatermarkAsync(database));
    }

    [Fact]
    public async Task A_page_that_fails_keeps_what_the_pages_before_it_brought()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var stream = Stream(database);
        for (var number = 0; number < 25; number++)
            _events.Add($"u{number:D2}", Noon.AddSeconds(number));
        _events.FailsFromQuery = 2;
        await Assert.ThrowsAsync<KeycloakProtocolException>(() => PollAsync(stream, sweep: true));
        Assert.Equal(Noon.AddSeconds(9), await WatermarkAsync(database));
        _events.FailsFromQuery = null;
        Assert.Equal(15, await PollAsync(stream));
        Assert.Equal(25, (await HintsAsync(database)).Count);
    }

    [Fact]
    public async Task A_watermark_from_a_clock_that_was_wrong_hides_nothing_not_even_from_a_time_without_polls()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var stream = Stream(database);
        _events.Add("from-the-future", Noon.AddHours(2));
        await PollAsync(stream, sweep: true);
        _events.Add("now", Noon);
        Assert.Equal((1, 0), (await PollAsync(stream), await PollAsync(stream, sweep: true)));
        _events.Add("while-stopped", Noon.AddMinutes(1));
        _clock.Advance(TimeSpan.FromMinutes(20));
        Assert.Equal(1, await PollAsync(stream));
    }

    [Fact]
    public async Task Wiped_events_ask_for_a_reconciliation_once()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var stream = Stream(database);
        _events.Add("read", Noon);
        await PollAsync(stream, sweep: true);
        _events.RemoveBefore(Noon.AddDays(1));
        _events.Add("after", Noon.AddSeconds(30));
        Assert.Equal(1, await PollAsync(stream));
        await PollAsync(stream, sweep: true);
        Assert.Equal("demo", Assert.Single(Asked()).Realm);

        _events.RemoveBefore(Noon.AddDays(1));
        await PollAsync(stream);
        await PollAsync(Stream(database), sweep: true);
        Assert.Single(Asked());
    }

    [Fact]
    public async Task Events_that_expired_after_they_were_read_are_no_loss()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var stream = Stream(database, TimeSpan.FromHours(2));
        _events.Add("read", Noon);
        await PollAsync(stream, sweep: true);
        for (var hour = 0; hour < 3; hour++)
        {
            _clock.Advance(TimeSpan.FromHours(1));
            await PollAsync(stream, sweep: true);
        }

        _events.RemoveBefore(Noon.AddHours(1));
        await PollAsync(stream, sweep: true);
        await PollAsync(Stream(database, TimeSpan.FromHours(2)), sweep: true);
        Assert.Empty(Asked());
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(3, 1)]
    public async Task A_longer_absence_than_events_are_kept_asks_for_a_reconciliation(int hoursAway, int asked)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        _events.Add("read", Noon);
        await PollAsync(Stream(database, TimeSpan.FromHours(2)), sweep: true);
        _clock.Advance(TimeSpan.FromHours(hoursAway));
        _events.RemoveBefore(_clock.GetUtcNow().AddHours(-2));
        var stream = Stream(database, TimeSpan.FromHours(2));
        await PollAsync(stream, sweep: true);
        await PollAsync(stream, sweep: true);
        Assert.Equal(asked, Asked().Count);
    }

    [Fact]
    public async Task A_poll_between_sweeps_reads_seconds_and_not_the_whole_overlap()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var stream = Stream(database);
        _events.Add("read", Noon);
        await PollAsync(stream, sweep: true);
        await PollAsync(stream);
        await PollAsync(stream, sweep: true);
        Assert.Equal([Noon.AddSeconds(-10), Noon.AddMinutes(-10)], _events.Queries.TakeLast(2).Select(query => query.From));
    }

    [Fact]
    public async Task A_poller_that_lost_its_lease_does_not_turn_the_cursor_back()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var store = new PollCursorStore(database.DataSource);
        await store.SaveAsync("demo", EventSource.UserStream, new PollCursor(Noon, "e2", Noon), Token);
        await store.SaveAsync("demo", EventSource.UserStream, new PollCursor(Noon.AddSeconds(-1), "e1", Noon), Token);
        Assert.Equal(new PollCursor(Noon, "e2", Noon), await store.FindAsync("demo", EventSource.UserStream, Token));
        Assert.Null(await store.FindAsync("demo", EventSource.AdminStream, Token));
    }

    public void Dispose()
    {
        _writer?.Dispose();
        _services.Dispose();
    }

    private static async Task<int> PollAsync(EventStream stream, bool sweep = false)
    {
        var hints = 0;
        await foreach (var brought in stream.PollAsync(sweep, Token))
            hints += brought;
        return hints;
    }

    private EventStream Stream(TestDatabase database, TimeSpan? retention = null)
    {
        var losses = new EventLossReporter(
            new PollStatus(), _requests, _services.GetRequiredService<IntakeMetrics>(), NullLogger<EventLossReporter>.Instance);
        var options = new OptionsWrapper<HintOptions>(new HintOptions());
        _writer ??= new HintWriter(
            new HintStore(database.DataSource), new HintHandover(options, _clock), new HintSignal(_clock), options, _clock);
        return new EventStream(_events.Source, _writer, new PollCursorStore(database.DataSource), losses, Options, _clock)
        {
            Retention = retention ?? TimeSpan.MaxValue,
        };
    }

    private List<LostEvents> Asked()
    {
        List<LostEvents> asked = [];
        while (_requests.Reader.TryRead(out var request))
            asked.Add(request);
        return asked;
    }

    private static Task<IReadOnlyList<string>> HintsAsync(TestDatabase database) =>
        database.QueryAsync<string>("select keycloak_id from user_hints order by keycloak_id");

    private static Task<DateTimeOffset> WatermarkAsync(TestDatabase database) =>
        database.ScalarAsync<DateTimeOffset>("select watermark from poll_cursors");
}
