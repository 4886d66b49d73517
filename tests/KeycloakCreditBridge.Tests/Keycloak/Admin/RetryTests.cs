using System.Globalization;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Sandbox.Processes;
using static KeycloakCreditBridge.Tests.Keycloak.ScriptedKeycloak;

namespace KeycloakCreditBridge.Tests.Keycloak.Admin;

public sealed class RetryTests
{
    private const string Asking = "Keycloak is asked again in ";
    private const string Page = """[{"id":"1","username":"alice"}]""";

    [Theory]
    [InlineData(408)]
    [InlineData(429)]
    [InlineData(500)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    public async Task A_transient_failure_is_retried(int status)
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/users?", Says(status, "try later", "text/plain"), Says(status, "try later", "text/plain"), Says(200, Page));

        Assert.Equal("alice", Assert.Single(await fixture.DriveAsync(ListAsync(fixture))).Username);
    }

    [Fact]
    public async Task A_lasting_failure_is_reported_after_four_attempts()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/users?", Says(503, ""));

        var exception = await fixture.FailAsync<KeycloakUnavailableException>(ListAsync(fixture));

        Assert.Contains("503", exception.Message, StringComparison.Ordinal);
        Assert.Contains("GET users", exception.Message, StringComparison.Ordinal);
        Assert.Equal("shop", exception.Realm);
        Assert.Equal(4, fixture.Server.Targets.Count());
    }

    [Theory]
    [InlineData("7", 7)]
    [InlineData("3600", 30)]
    [InlineData("date", 12)]
    public async Task The_server_says_how_long_to_wait_up_to_half_a_minute(string retryAfter, int seconds)
    {
        await using var fixture = await ClientFixture.StartAsync();
        var answered = DateTimeOffset.MinValue;
        DateTimeOffset? again = null;
        fixture.Server.On(
            "/users?",
            context =>
            {
                answered = fixture.Clock.GetUtcNow();
                var requested = retryAfter == "date" ? answered.AddSeconds(12).ToString("R", CultureInfo.InvariantCulture) : retryAfter;
                return Says(503, "", retryAfter: requested)(context);
            },
            context =>
            {
                again = fixture.Clock.GetUtcNow();
                return Says(200, Page)(context);
            });

        await fixture.DriveAsync(ListAsync(fixture));

        // The clock moves on while an answer is under way; a date has whole seconds.
        Assert.True((again!.Value - answered).TotalSeconds >= seconds - 1);
        var line = Assert.Single(fixture.Log.All, line => line.Contains(Asking, StringComparison.Ordinal));
        var (wait, requested) = (
            TimeSpan.Parse(line.Split(Asking)[1].Split(": ")[0], CultureInfo.InvariantCulture), TimeSpan.FromSeconds(seconds));
        Assert.InRange(wait, retryAfter == "date" ? TimeSpan.Zero : requested, requested);
    }

    [Theory]
    [InlineData("""[{"id":"1","username":"al""")]
    [InlineData("")]
    [InlineData("<!DOCTYPE html><title>Sign in</title>")]
    [InlineData("""{"error":"odd"}""")]
    public async Task An_answer_that_is_cut_off_or_not_from_Keycloak_is_fetched_again_and_then_reported(string body)
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/users?", Says(200, body, "text/html"), Says(200, Page));
        Assert.Single(await fixture.DriveAsync(ListAsync(fixture)));

        fixture.Server.On("/users?", Says(200, body, "text/html"));
        var exception = await fixture.FailAsync<KeycloakProtocolException>(ListAsync(fixture));
        Assert.Contains("cut off", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_breaks_within_the_answer_is_a_failed_page()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/users?", Breaks, Says(200, Page));
        Assert.Single(await fixture.DriveAsync(ListAsync(fixture)));

        fixture.Server.On("/users?", Breaks);
        await fixture.FailAsync<KeycloakUnavailableException>(ListAsync(fixture));
    }

    [Fact]
    public async Task A_server_that_hangs_times_out_and_is_asked_again()
    {
        await using var fixture = await ClientFixture.StartAsync(("Keycloak:RequestTimeout", "00:00:30"));
        using var arrived = new SemaphoreSlim(0);
        fixture.Server.On("/users?", async context =>
        {
            arrived.Release();
            await Hangs(context);
        });

        var call = ListAsync(fixture);
        for (var attempt = 0; attempt < 4; attempt++)
        {
            await fixture.Clock.AdvanceUntilDoneAsync(
                arrived.WaitAsync(ClientFixture.Cancellation), TimeSpan.FromMilliseconds(10), ClientFixture.Cancellation);
            fixture.Clock.Advance(TimeSpan.FromSeconds(30));
        }

        var exception = await fixture.FailAsync<KeycloakUnavailableException>(call);
        Assert.Contains("Keycloak:RequestTimeout", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unreachable_server_is_named()
    {
        var url = $"http://127.0.0.1:{FreePort.Next()}";
        await using var fixture = await ClientFixture.StartAsync(("Keycloak:Url", url));

        var exception = await fixture.FailAsync<KeycloakUnavailableException>(ListAsync(fixture));

        Assert.Contains(url, exception.Message, StringComparison.Ordinal);
        Assert.Contains("refused", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cancelled_call_does_not_report_a_failure_of_Keycloak()
    {
        await using var fixture = await ClientFixture.StartAsync();
        using var impatience = CancellationTokenSource.CreateLinkedTokenSource(ClientFixture.Cancellation);
        fixture.Server.On("/users?", async context =>
        {
            await impatience.CancelAsync();
            await Hangs(context);
        });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => fixture.Client.ListUsersAsync("shop", 0, 10, impatience.Token));
    }

    private static Task<IReadOnlyList<KeycloakUser>> ListAsync(ClientFixture fixture) =>
        fixture.Client.ListUsersAsync("shop", 0, 10, ClientFixture.Cancellation);
}
