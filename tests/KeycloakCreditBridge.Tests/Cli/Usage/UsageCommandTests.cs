using System.Text.Json;
using KeycloakCreditBridge.Tests.Metering;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Metering.MeteringFixture;

namespace KeycloakCreditBridge.Tests.Cli.Usage;

[StartsPrograms]
public sealed class UsageCommandTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Refused_records_are_listed_and_retrying_charges_once_what_can_be_charged_now()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        await fixture.Database.ExecuteAsync(
            """
            insert into usage_refusals (record, error, refused_at)
            select convert_to(record, 'UTF8'), 'an older rule', now() from unnest(@Records) as r (record)
            """,
            new { Records = (string[])[Record("r1", ana, 0.5m).ToJsonString(), Record("r1", ana, 0.5m).ToJsonString(),
                "no record\u001b[2J"] });

        var list = await RunAsync(fixture, "list");
        var json = await RunAsync(fixture, "list", "--json", "--limit", "1");
        var retry = await RunAsync(fixture, "retry", "--all");
        await fixture.ProcessedAsync();
        var again = await RunAsync(fixture, "list");

        Assert.Equal((0, 0, 0, 0), (list.ExitCode, json.ExitCode, retry.ExitCode, again.ExitCode));
        Assert.Equal(4, Lines(list.Output).Length);
        Assert.Contains("an older rule", list.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("\u001b", list.Output, StringComparison.Ordinal);
        Assert.Contains("2 more", json.Error, StringComparison.Ordinal);
        using var first = JsonDocument.Parse(Assert.Single(Lines(json.Output)));
        Assert.Contains("no record", first.RootElement.GetProperty("record").GetString(), StringComparison.Ordinal);
        Assert.StartsWith("3 records are due now", retry.Output, StringComparison.Ordinal);
        Assert.Equal(4.5m, await fixture.BalanceAsync(ana));
        Assert.Contains("It is no JSON", Assert.Single(Lines(again.Output).Skip(1)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_refused_record_is_retried_by_its_number_and_an_unknown_number_is_exit_code_1()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        var ids = await fixture.Database.QueryAsync<long>(
            """
            insert into usage_refusals (record, error, refused_at)
            select convert_to(record, 'UTF8'), 'an older rule', now() from unnest(@Records) as r (record)
            returning id
            """,
            new { Records = new[] { Record("r1", ana, 0.5m).ToJsonString(), Record("r2", ana, 1m).ToJsonString() } });

        var retry = await RunAsync(fixture, "retry", "--id", $"{ids[1]}", "--id", "4711", "--json");
        await fixture.ProcessedAsync();

        Assert.Equal(1, retry.ExitCode);
        Assert.Equal($$"""{"id":{{ids[1]}}}""", retry.Output.Trim());
        Assert.Contains("4711", Assert.Single(Lines(retry.Error)), StringComparison.Ordinal);
        Assert.Equal(4m, await fixture.BalanceAsync(ana));
        Assert.Equal(1, await fixture.RefusalsAsync());
    }

    [Fact]
    public async Task List_says_that_there_are_no_refused_records_and_retry_needs_a_choice()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        IReadOnlyList<KeyValuePair<string, string?>> settings = [KeyValuePair.Create(
            "Storage:ConnectionString", (string?)database.ConnectionString)];

        Assert.Equal((0, "There are no refused records.\n", ""), await CommandProcess.RunAsync(settings, "usage", "refusals", "list"));
        Assert.Equal(2, (await CommandProcess.RunAsync(settings, "usage", "refusals", "retry")).ExitCode);
    }

    private static Task<(int ExitCode, string Output, string Error)> RunAsync(MeteringFixture fixture, params string[] arguments) =>
        CommandProcess.RunAsync(
            [KeyValuePair.Create("Storage:ConnectionString", (string?)fixture.Database.ConnectionString)],
            ["usage", "refusals", .. arguments]);

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
