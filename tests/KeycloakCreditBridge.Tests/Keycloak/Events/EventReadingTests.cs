using System.Globalization;
using System.Web;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.Events;
using static KeycloakCreditBridge.Tests.Keycloak.ScriptedKeycloak;

namespace KeycloakCreditBridge.Tests.Keycloak.Events;

public sealed class EventReadingTests
{
    private const string Rejects = """{"error":"Invalid value"}""";
    private static readonly DateTimeOffset From = new(2026, 12, 1, 11, 50, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(400, 400, true, true)]
    [InlineData(400, 200, true, false)]
    [InlineData(200, 200, false, false)]
    public async Task A_server_is_asked_what_it_can_do(int direction, int createdAfter, bool orderedEvents, bool createdWindows)
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/events?max=0&direction=up", Says(direction, direction == 400 ? Rejects : "[]"));
        fixture.Server.On("/users?max=0", Says(createdAfter, createdAfter == 400 ? Rejects : "[]"));

        Assert.Equal(
            new ServerCapabilities(orderedEvents, createdWindows),
            await fixture.Client.GetCapabilitiesAsync("shop", ClientFixture.Cancellation));
    }

    [Theory]
    [InlineData(400, "<html>request blocked</html>")]
    [InlineData(200, "<html>sign in</html>")]
    [InlineData(404, """{"error":"Realm not found."}""")]
    [InlineData(503, "")]
    public async Task Only_Keycloaks_own_answers_decide_what_it_can_do(int status, string body)
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/admin/realms/", Says(status, body));

        var call = fixture.Client.GetCapabilitiesAsync("shop", ClientFixture.Cancellation);
        await fixture.Clock.AdvanceUntilDoneAsync(call, TimeSpan.FromMilliseconds(100), ClientFixture.Cancellation);

        await Assert.ThrowsAnyAsync<KeycloakException>(() => call);
    }

    [Fact]
    public async Task Capabilities_are_kept_for_an_hour_and_until_an_answer_does_not_fit()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/events?max=0", Says(400, Rejects));
        fixture.Server.On("/users?max=0", Says(400, Rejects));
        int Probes() => fixture.Server.Targets.Count(target => target.Contains("direction=up", StringComparison.Ordinal));
        Task<ServerCapabilities> Ask() => fixture.Client.GetCapabilitiesAsync("shop", ClientFixture.Cancellation);

        await Ask();
        fixture.Clock.Advance(TimeSpan.FromMinutes(59));
        await Ask();
        Assert.Equal(1, Probes());
        fixture.Clock.Advance(TimeSpan.FromMinutes(2));
        await Ask();
        Assert.Equal(2, Probes());

        fixture.Server.On("/events?dateFrom", Says(400, """{"error":"Invalid value for 'Date(From)', expected format is yyyy-MM-dd"}"""));
        await fixture.FailAsync<KeycloakProtocolException>(
            fixture.Events.ListUserEventsAsync("shop", new EventQuery(From, 0, 10, Ascending: true), ClientFixture.Cancellation));
        await Ask();
        Assert.Equal(3, Probes());
    }

    [Fact]
    public async Task A_server_with_ordered_events_is_asked_by_the_millisecond()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/events?max=0", Says(400, Rejects));
        fixture.Server.On("/users?max=0", Says(400, Rejects));
        fixture.Server.On("/events?dateFrom", Says(200, "[]"));
        fixture.Server.On("/admin-events?dateFrom", Says(200, "[]"));

        await fixture.Events.ListUserEventsAsync("shop", new EventQuery(From, 7, 10, Ascending: true), ClientFixture.Cancellation);
        await fixture.Events.ListAdminEventsAsync("shop", new EventQuery(From, 0, 1, Ascending: false), ClientFixture.Cancellation);
        await fixture.Events.ListUserEventsAsync(
            "shop", new EventQuery(DateTimeOffset.MinValue, 0, 5, Ascending: true), ClientFixture.Cancellation);

        Assert.Equal(
            [
                "/admin/realms/shop/events?dateFrom=1796125800000&first=7&max=10&direction=asc",
                "/admin/realms/shop/admin-events?dateFrom=1796125800000&first=0&max=1&direction=desc",
                "/admin/realms/shop/events?dateFrom=0&first=0&max=5&direction=asc",
            ],
            fixture.Server.Targets.Where(target => target.Contains("dateFrom", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(10)]
    [InlineData(100)]
    public async Task A_backlog_reads_the_same_from_a_server_that_filters_by_day(int max)
    {
        await using var fixture = await ClientFixture.StartAsync();
        // One event each minute from 11:00 to 11:59, of which ten are wanted.
        DayServer(fixture, [.. Enumerable.Range(0, 60).Select(minute => From.AddMinutes(minute - 50).ToUnixTimeMilliseconds())]);

        var received = new List<UserEvent>();
        EventQuery? query = new(From, 0, max, Ascending: true);
        while (query is not null)
        {
            var page = await fixture.Events.ListUserEventsAsync("shop", query, ClientFixture.Cancellation);
            received.AddRange(page);
            query = query.Next(page.Count, page.Count == 0 ? 0 : page[^1].Time);
        }

        Assert.Equal(
            Enumerable.Range(0, 10).Select(minute => From.AddMinutes(minute).ToUnixTimeMilliseconds()),
            received.DistinctBy(found => found.Fingerprint).Select(found => found.Time));
        Assert.All(
            fixture.Server.Targets.Where(target => target.Contains("dateFrom", StringComparison.Ordinal)),
            target => Assert.Contains("dateFrom=2026-11-30&", target, StringComparison.Ordinal));
        Assert.DoesNotContain(fixture.Server.Targets, target => target.Contains("dateTo", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_newest_events_are_one_page_of_a_server_that_filters_by_day()
    {
        await using var fixture = await ClientFixture.StartAsync();
        DayServer(fixture, [.. Enumerable.Range(0, 60).Select(minute => From.AddMinutes(minute - 50).ToUnixTimeMilliseconds())]);

        var page = await fixture.Events.ListUserEventsAsync(
            "shop", new EventQuery(From, 8, 4, Ascending: false), ClientFixture.Cancellation);

        Assert.Equal([From.AddMinutes(1).ToUnixTimeMilliseconds(), From.ToUnixTimeMilliseconds()], page.Select(found => found.Time));
    }

    [Fact]
    public void A_full_page_within_one_millisecond_is_stepped_over_and_the_next_goes_on_by_time()
    {
        var start = new EventQuery(From, 0, 100, Ascending: true);
        var at = From.ToUnixTimeMilliseconds();

        Assert.Null(start.Next(99, at + 5));
        Assert.Equal(start with { From = From.AddMilliseconds(5) }, start.Next(100, at + 5));
        Assert.Equal(start with { First = 100 }, start.Next(100, at));
        Assert.Equal(start with { From = From.AddMilliseconds(5) }, (start with { First = 100 }).Next(100, at + 5));
        Assert.Equal(start with { Ascending = false, First = 100 }, (start with { Ascending = false }).Next(100, at + 5));
    }

    /// <summary>Behaves as 26.0 does: ignores direction, refuses milliseconds, gives no ids, newest first.</summary>
    private static void DayServer(ClientFixture fixture, long[] times)
    {
        fixture.Server.On("/users?max=0", Says(200, "[]"));
        fixture.Server.On("/events?", context =>
        {
            var query = HttpUtility.ParseQueryString(context.Request.QueryString.Value!);
            if (query["dateFrom"]?.Contains('-', StringComparison.Ordinal) == false)
                return Says(400, Rejects)(context);
            var page = times.OrderDescending().Skip(Number(query["first"])).Take(Number(query["max"]));
            return Says(200, $"[{string.Join(',', page.Select(time => $$"""{"time":{{time}},"type":"LOGIN"}"""))}]")(context);
        });
    }

    private static int Number(string? text) => int.Parse(text ?? "0", CultureInfo.InvariantCulture);
}
