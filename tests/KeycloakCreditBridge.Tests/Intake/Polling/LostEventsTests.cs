using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Intake.Polling.EventStreamFixture;

namespace KeycloakCreditBridge.Tests.Intake.Polling;

/// <summary>Events that are lost before they are read ask for a reconciliation.</summary>
public sealed class LostEventsTests(PostgresFixture postgres) : IDisposable
{
    private readonly EventStreamFixture _fixture = new();

    [Fact]
    public async Task Wiped_events_ask_for_a_reconciliation_once()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var stream = _fixture.Stream(database);
        _fixture.Events.Add("read", Noon);
        await PollAsync(stream, sweep: true);
        _fixture.Events.RemoveBefore(Noon.AddDays(1));
        _fixture.Events.Add("after", Noon.AddSeconds(30));
        Assert.Equal(1, await PollAsync(stream));
        await PollAsync(stream, sweep: true);
        Assert.Equal("demo", Assert.Single(_fixture.Asked()).Realm);

        _fixture.Events.RemoveBefore(Noon.AddDays(1));
        await PollAsync(stream);
        await PollAsync(_fixture.Stream(database), sweep: true);
        Assert.Single(_fixture.Asked());
    }

    [Fact]
    public async Task Events_that_expired_after_they_were_read_are_no_loss()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var stream = _fixture.Stream(database, TimeSpan.FromHours(2));
        _fixture.Events.Add("read", Noon);
        await PollAsync(stream, sweep: true);
        for (var hour = 0; hour < 3; hour++)
        {
            _fixture.Clock.Advance(TimeSpan.FromHours(1));
            await PollAsync(stream, sweep: true);
        }

        _fixture.Events.RemoveBefore(Noon.AddHours(1));
        await PollAsync(stream, sweep: true);
        await PollAsync(_fixture.Stream(database, TimeSpan.FromHours(2)), sweep: true);
        Assert.Empty(_fixture.Asked());
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(3, 1)]
    public async Task A_longer_absence_than_events_are_kept_asks_for_a_reconciliation(int hoursAway, int asked)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        _fixture.Events.Add("read", Noon);
        await PollAsync(_fixture.Stream(database, TimeSpan.FromHours(2)), sweep: true);
        _fixture.Clock.Advance(TimeSpan.FromHours(hoursAway));
        _fixture.Events.RemoveBefore(_fixture.Clock.GetUtcNow().AddHours(-2));
        var stream = _fixture.Stream(database, TimeSpan.FromHours(2));
        await PollAsync(stream, sweep: true);
        await PollAsync(stream, sweep: true);
        Assert.Equal(asked, _fixture.Asked().Count);
    }

    public void Dispose() => _fixture.Dispose();
}
