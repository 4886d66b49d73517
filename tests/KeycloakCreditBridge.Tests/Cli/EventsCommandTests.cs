using System.Text.Json;
using KeycloakCreditBridge.Tests.Outbox;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Cli;

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

    private static string[] Lines(string output) => output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static Task<(int ExitCode, string Output, string Error)> RunAsync(OutboxFixture fixture, params string[] arguments) =>
        CommandProcess.RunAsync(
            BridgeFixture.Settings(fixture.Database.ConnectionString, new Uri("http://127.0.0.1:9")), ["events", .. arguments]);
}
