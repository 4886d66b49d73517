using System.Diagnostics;
using System.Net;
using System.Text.Json;
using static KeycloakCreditBridge.Tests.Sandbox.Emulator.EmulatorFixture;

namespace KeycloakCreditBridge.Tests.Sandbox.Emulator;

public sealed class EmulatorFaultTests
{
    [Fact]
    public async Task Ordered_faults_are_injected_and_every_request_is_counted()
    {
        await using var emulator = await StartAsync();
        var (bridge, faults) = (await emulator.BridgeTokenAsync(), emulator.Server.Faults);
        faults.Fail("*/users", 1, 429, TimeSpan.FromSeconds(7));
        faults.Truncate("*/users", 1);
        var refused = await emulator.SendAsync("GET", Users, bridge);
        Assert.Equal((HttpStatusCode.TooManyRequests, TimeSpan.FromSeconds(7)), (refused.Status, refused.RetryAfter));
        var cut = await emulator.SendAsync("GET", Users, bridge);
        Assert.Equal(HttpStatusCode.OK, cut.Status);
        Assert.ThrowsAny<JsonException>(() => cut.Json);
        Assert.Empty(await emulator.ListAsync(Users, bridge));
        Assert.Equal(3, emulator.Server.Requests["GET /admin/realms/{realm}/users"]);
    }

    [Fact]
    public async Task A_hanging_request_ends_with_the_server_and_a_slow_one_is_answered()
    {
        await using var emulator = await StartAsync();
        var (bridge, faults) = (await emulator.BridgeTokenAsync(), emulator.Server.Faults);
        faults.Delay("*/users", 1, TimeSpan.FromMilliseconds(200));
        var started = Stopwatch.GetTimestamp();
        Assert.Empty(await emulator.ListAsync(Users, bridge));
        Assert.True(Stopwatch.GetElapsedTime(started) >= TimeSpan.FromMilliseconds(190));
        faults.Hang("*/users", 1);
        var hanging = emulator.SendAsync("GET", Users, bridge);
        Assert.Equal("0", (await emulator.SendAsync("GET", $"{Users}/count", bridge)).Body);
        Assert.False(hanging.IsCompleted);
        await emulator.Server.DisposeAsync();
        await Assert.ThrowsAsync<HttpRequestException>(() => hanging);
    }

    [Fact]
    public async Task A_wrong_clock_dates_everything_wrongly()
    {
        await using var emulator = await StartAsync();
        emulator.Server.Faults.ClockOffset = TimeSpan.FromMinutes(-5);
        await emulator.CreateAsync("ada");
        var created = (long)(await emulator.ListAsync(Users, await emulator.BridgeTokenAsync()))[0]!["createdTimestamp"]!;
        Assert.InRange(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - created, 290_000, 310_000);
    }

    [Fact]
    public async Task A_late_commit_has_the_time_at_which_it_began()
    {
        await using var emulator = await StartAsync();
        emulator.Server.Faults.CommitDelay = TimeSpan.FromMilliseconds(300);
        await emulator.CreateAsync("ada");
        var committed = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        emulator.Server.Faults.Reset();
        var stored = await emulator.ListAsync($"{AdminEvents}?max=1", await emulator.BridgeTokenAsync());
        Assert.InRange((long)stored[0]!["time"]!, 0, committed - 290);
    }

    [Fact]
    public async Task A_page_from_the_middle_of_a_hundred_thousand_users_is_answered()
    {
        await using var emulator = await StartAsync();
        emulator.Server.Realm(Realm).AddUsers(100_000);
        var bridge = await emulator.BridgeTokenAsync();
        Assert.Equal("100000", (await emulator.SendAsync("GET", $"{Users}/count", bridge)).Body);
        var page = await emulator.ListAsync($"{Users}?briefRepresentation=true&first=50000&max=1000", bridge);
        Assert.Equal(("user0050000", 1000), ((string?)page[0]!["username"], page.Count));
    }
}
