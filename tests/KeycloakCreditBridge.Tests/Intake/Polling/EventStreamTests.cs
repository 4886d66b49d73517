using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Intake.Polling;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Tests.Storage;
using Npgsql;
using static KeycloakCreditBridge.Tests.Intake.Polling.EventStreamFixture;

namespace KeycloakCreditBridge.Tests.Intake.Polling;

public sealed class EventStreamTests(PostgresFixture postgres) : IDisposable
{
    private readonly EventStreamFixture _fixture = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_first_start_reads_back_from_the_newest_event_whatever_the_clocks_say()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var keycloaks = Noon.AddHours(-3);
        _fixture.Events.Add("too-old", keycloaks.AddMinutes(-11));
        _fixture.Events.Add("recent", keycloaks.AddMinutes(-9));
        _fixture.Events.Add("newest", keycloaks);
        Assert.Equal(2, await PollAsync(_fixture.Stream(database), sweep: true));
        Assert.Equal(["newest", "recent"], await HintsAsync(database));
    }

    [Fact]
    public async Task In_an_empty_store_everything_that_comes_is_new()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var stream = _fixture.Stream(database);
        Assert.Equal(0, await PollAsync(stream, sweep: true));
        _fixture.Events.Add("first", Noon.AddHours(-1));
        _fixture.Events.Add("second", Noon);
        Assert.Equal(2, await PollAsync(stream));
    }

    [Fact]
    public async Task An_event_that_appears_late_is_found_within_seconds_or_by_the_next_sweep()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var stream = _fixture.Stream(database);
        _fixture.Events.Add("on-time", Noon);
        await PollAsync(stream, sweep: true);
        _fixture.Events.Add("seconds-late", Noon.AddSeconds(-9));
        _fixture.Events.Add("minutes-late", Noon.AddMinutes(-6));
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
            _fixture.Events.Add($"tied-{number:D2}", Noon);
        for (var number = 0; number < 12; number++)
            _fixture.Events.Add($"after-{number:D2}", Noon.AddMilliseconds(1 + (number / 3)));
        Assert.Equal(47, await PollAsync(_fixture.Stream(database), sweep: true));
        Assert.Equal(47, (await HintsAsync(database)).Count);
    }

    [Fact]
    public async Task A_restart_hints_the_users_of_the_overlap_once_more_and_no_others()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        _fixture.Events.Add("long-ago", Noon.AddMinutes(-30));
        _fixture.Events.Add("recent", Noon.AddMinutes(-5));
        await PollAsync(_fixture.Stream(database), sweep: true);
        _fixture.Events.Add("while-stopped", Noon.AddHours(2));
        await database.ExecuteAsync("delete from user_hints");
        Assert.Equal(2, await PollAsync(_fixture.Stream(database), sweep: true));
        Assert.Equal(["recent", "while-stopped"], await HintsAsync(database));
    }

    [Fact]
    public async Task The_cursor_never_passes_an_event_whose_hint_is_not_stored()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var stream = _fixture.Stream(database);
        _fixture.Events.Add("before", Noon);
        await PollAsync(stream, sweep: true);
        _fixture.Events.Add("not-stored", Noon.AddMinutes(1));
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
        var stream = _fixture.Stream(database);
        for (var number = 0; number < 25; number++)
            _fixture.Events.Add($"u{number:D2}", Noon.AddSeconds(number));
        _fixture.Events.FailsFromQuery = 2;
        await Assert.ThrowsAsync<KeycloakProtocolException>(() => PollAsync(stream, sweep: true));
        Assert.Equal(Noon.AddSeconds(9), await WatermarkAsync(database));
        _fixture.Events.FailsFromQuery = null;
        Assert.Equal(15, await PollAsync(stream));
        Assert.Equal(25, (await HintsAsync(database)).Count);
    }

    [Fact]
    public async Task A_watermark_from_a_clock_that_was_wrong_hides_nothing_not_even_from_a_time_without_polls()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var stream = _fixture.Stream(database);
        _fixture.Events.Add("from-the-future", Noon.AddHours(2));
        await PollAsync(stream, sweep: true);
        _fixture.Events.Add("now", Noon);
        Assert.Equal((1, 0), (await PollAsync(stream), await PollAsync(stream, sweep: true)));
        _fixture.Events.Add("while-stopped", Noon.AddMinutes(1));
        _fixture.Clock.Advance(TimeSpan.FromMinutes(20));
        Assert.Equal(1, await PollAsync(stream));
    }

    [Fact]
    public async Task A_poll_between_sweeps_reads_seconds_and_not_the_whole_overlap()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var stream = _fixture.Stream(database);
        _fixture.Events.Add("read", Noon);
        await PollAsync(stream, sweep: true);
        await PollAsync(stream);
        await PollAsync(stream, sweep: true);
        Assert.Equal([Noon.AddSeconds(-10), Noon.AddMinutes(-10)], _fixture.Events.Queries.TakeLast(2).Select(query => query.From));
    }

    [Fact]
    public async Task A_poller_that_lost_its_lease_does_not_turn_the_cursor_back()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var store = new PollCursorStore(database.DataSource);
        await store.SaveAsync("demo", StreamNames.Users, new PollCursor(Noon, "e2", Noon), Token);
        await store.SaveAsync("demo", StreamNames.Users, new PollCursor(Noon.AddSeconds(-1), "e1", Noon), Token);
        Assert.Equal(new PollCursor(Noon, "e2", Noon), await store.FindAsync("demo", StreamNames.Users, Token));
        Assert.Null(await store.FindAsync("demo", StreamNames.Admins, Token));
    }

    public void Dispose() => _fixture.Dispose();

    private static Task<IReadOnlyList<string>> HintsAsync(TestDatabase database) =>
        database.QueryAsync<string>("select keycloak_id from user_hints order by keycloak_id");

    private static Task<DateTimeOffset> WatermarkAsync(TestDatabase database) =>
        database.ScalarAsync<DateTimeOffset>("select watermark from poll_cursors");
}
