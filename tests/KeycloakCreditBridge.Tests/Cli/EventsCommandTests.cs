using System.Text.Json;
using KeycloakCreditBridge.Tests.Outbox;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Cli;

[StartsPrograms]
public sealed class EventsCommandTests(PostgresFixture postgres)
{
    [Fact]
    public async Task List_shows_the_newest_first_of_an_account_and_type()
    {
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.OpenAsync(count: 2);
        await fixture.TakeAsync(4m);

        var all = await RunAsync(fixture, "list", "--limit", "2");
        var low = await RunAsync(fixture, "list", "--account", "user-1", "--type", "credits.low", "--json");
        var none = await RunAsync(fixture, "list", "--type", "tier.switched");

        Assert.Equal((0, 0, 0), (all.ExitCode, low.ExitCode, none.ExitCode));
        Assert.Equal(["credits.low", "credits.account.opened"], Lines(all.Output).Skip(1).Select(line => line.Split("  ")[1].Trim()));
        Assert.Contains("raise --limit", all.Error, StringComparison.Ordinal);
        var told = JsonDocument.Parse(Assert.Single(Lines(low.Output))).RootElement;
        Assert.Equal("1.000000", told.GetProperty("data").GetProperty("balance").GetString());
        Assert.Equal(
            await fixture.Database.ScalarAsync<Guid>("select id from outbox where type = 'credits.low'"), told.GetProperty("id").GetGuid());
        Assert.Contains("There are no such events.", none.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Test_sends_an_endpoint_a_signed_event_and_says_what_came_of_it()
    {
        await using var sink = await SinkFixture.StartAsync();
        var settings = Settings("Host=127.0.0.1;Port=9;Database=none;Username=none", sink);
        var taken = await CommandProcess.RunAsync(settings, "events", "test", "crm", "--json");
        sink.Answer = (_, _) => Task.FromResult(401);
        var refused = await CommandProcess.RunAsync(settings, "events", "test", "crm");
        settings["Outbox:Endpoints:crm:AllowPrivate"] = "false";
        var invalid = await CommandProcess.RunAsync(settings, "events", "test", "crm");
        var unknown = await CommandProcess.RunAsync(settings, "events", "test", "erp");

        Assert.Equal((0, 1, 2, 2), (taken.ExitCode, refused.ExitCode, invalid.ExitCode, unknown.ExitCode));
        Assert.Equal(["credits.test", "credits.test"], sink.Asked.Select(one => one.Type));
        Assert.Contains(sink.Asked[0].Id, taken.Output, StringComparison.Ordinal);
        Assert.Contains("did not take the event: answered 401.", refused.Error, StringComparison.Ordinal);
        Assert.Contains("give a public one, or set AllowPrivate to true", invalid.Error, StringComparison.Ordinal);
        Assert.Contains("Outbox:Endpoints", unknown.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Replay_switches_an_endpoint_on_and_doctor_says_why_it_was_off()
    {
        await using var sink = await SinkFixture.StartAsync();
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        var settings = Settings(fixture.Database.ConnectionString, sink);
        var early = await CommandProcess.RunAsync(settings, "events", "replay", "crm");
        await fixture.KnowAsync();
        await fixture.OpenAsync(count: 3);
        await fixture.Database.ExecuteAsync("update outbox_endpoints set position = 2, disabled_at = now(), error = 'answered 410'");
        var doctor = await CommandProcess.RunAsync(settings, "doctor");
        var replayed = await CommandProcess.RunAsync(settings, "events", "replay", "crm", "--since", "2026-01-31", "--json");

        Assert.Equal((1, 0), (early.ExitCode, replayed.ExitCode));
        Assert.Contains("Nothing was sent to endpoint crm yet", early.Error, StringComparison.Ordinal);
        Assert.Contains("events about credits are recorded", doctor.Output, StringComparison.Ordinal);
        Assert.Matches("FAIL.*nothing is sent to it since .*: it answered 410", doctor.Output);
        Assert.Contains("\"recorded\":3", replayed.Output, StringComparison.Ordinal);
        Assert.Equal((0, null), ((await fixture.StateAsync()).Position, (await fixture.StateAsync()).DisabledAt));
    }

    private static Dictionary<string, string?> Settings(string connectionString, SinkFixture sink)
    {
        var settings = BridgeFixture.Settings(connectionString, new Uri("http://127.0.0.1:9"));
        settings["Outbox:Enabled"] = "true";
        settings["Outbox:Endpoints:crm:Url"] = $"{sink.Url}";
        settings["Outbox:Endpoints:crm:Secret"] = SinkFixture.Secret;
        settings["Outbox:Endpoints:crm:AllowHttp"] = "true";
        settings["Outbox:Endpoints:crm:AllowPrivate"] = "true";
        return settings;
    }

    private static string[] Lines(string output) => output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static Task<(int ExitCode, string Output, string Error)> RunAsync(OutboxFixture fixture, params string[] arguments) =>
        CommandProcess.RunAsync(
            BridgeFixture.Settings(fixture.Database.ConnectionString, new Uri("http://127.0.0.1:9")), ["events", .. arguments]);
}
