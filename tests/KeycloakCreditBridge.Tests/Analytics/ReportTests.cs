using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using KeycloakCreditBridge.Analytics.Reports;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Analytics;

public sealed class ReportTests(PostgresFixture postgres)
{
    private const string Path = "api/v1/credits/analytics";

    [Fact]
    public async Task Groups_of_fewer_users_than_the_least_are_told_as_fewer()
    {
        await using var fixture = await AnalyticsFixture.StartAsync(postgres, minimumGroup: 5);
        for (var number = 0; number < 9; number++)
            await fixture.AddUserAsync(
                $"u{number}", AnalyticsFixture.Now, AnalyticsFixture.Now.AddSeconds(1), number < 4 ? "poll" : "webhook");
        await fixture.Database.ExecuteAsync("update user_credits set first_spend_at = now() where user_id in ('u7', 'u8')");
        await fixture.RebuildAsync();

        Assert.Equal(
            new Dictionary<string, string> { ["poll"] = "<5", ["webhook"] = "5" },
            await fixture.ColumnAsync(Report.Funnel, "way", "users"));
        Assert.Equal(
            new Dictionary<string, string> { ["poll"] = "0", ["webhook"] = "<5" },
            await fixture.ColumnAsync(Report.Funnel, "way", "first_spend"));
        Assert.Equal(
            new Dictionary<string, string> { ["poll"] = "", ["webhook"] = "1000" },
            await fixture.ColumnAsync(Report.Latency, "way", "p50_ms"));
    }

    [Theory]
    [InlineData("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0")]
    [InlineData("+1", "'+1")]
    [InlineData("-1+1", "'-1+1")]
    [InlineData("@SUM(1)", "'@SUM(1)")]
    [InlineData("\t=1", "'\t=1")]
    [InlineData("  =1", "'  =1")]
    [InlineData("=1,\"2\"", "\"'=1,\"\"2\"\"\"")]
    [InlineData("a,b", "\"a,b\"")]
    [InlineData("plain", "plain")]
    [InlineData(null, "")]
    public void No_cell_of_a_CSV_is_a_formula(string? text, string cell) => Assert.Equal(cell, CsvText.Cell(text));

    [StartsPrograms, Fact]
    public async Task Administrators_and_viewers_read_reports_of_the_own_realm_and_wrong_questions_are_refused()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, ("Analytics:MinimumGroup", "1"));
        var user = await fixture.AddUserAsync();
        await fixture.AddUserAsync(CreditsFixture.Other);
        await fixture.Database.ExecuteAsync("update user_credits set tier = '=1+1' where user_id = @user", new { user });
        await RebuildAsync(fixture);
        var viewer = fixture.TokenOf("looker", "credits-viewer");

        var funnel = await fixture.GetAsync($"{Path}/funnel?by=tier", viewer);
        Assert.Equal(
            ["=1+1"], funnel.Json["rows"]!.AsArray().Where(row => (string)row!["values"]![0]! == "1").Select(row => (string)row!["name"]!));
        foreach (var report in (string[])["funnel", "latency", "sources", "experiments", "expiries"])
            Assert.Equal(
                HttpStatusCode.OK, (await fixture.GetAsync($"{Path}/{report}", fixture.TokenOf("boss", CreditsFixture.Admin))).Status);
        Assert.Empty((await fixture.GetAsync($"{Path}/experiments", viewer)).Json["rows"]!.AsArray());

        Assert.Equal(HttpStatusCode.Forbidden, (await fixture.GetAsync($"{Path}/funnel", fixture.TokenOf(user))).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.GetAsync($"{Path}/funnel?realm=other", viewer)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.GetAsync($"{Path}/funnel?realm=nowhere", viewer)).Status);
        foreach (var (query, says) in new[]
        {
            ("from=2026-02-01&to=2026-01-31", "'to' is before 'from'"), ("from=2025-01-01&to=2026-02-05", "400 days"),
            ("by=shoe", "day, realm, tier, source, arm, way, box"), ("from=monday", "is no date"), ("to=2026-02-30", "is no date"),
        })
        {
            var answer = await fixture.GetAsync($"{Path}/funnel?{query}", viewer);
            Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
            Assert.Contains(says, answer.Detail, StringComparison.Ordinal);
        }

        Assert.Equal(HttpStatusCode.OK, (await fixture.GetAsync($"{Path}/funnel?from=2025-01-01&to=2026-02-04", viewer)).Status);
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(fixture.Bridge.Url, $"{Path}/funnel?by=tier"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", viewer);
        request.Headers.Accept.ParseAdd("text/csv");
        using var csv = await http.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal("text/csv", csv.Content.Headers.ContentType?.MediaType);
        var text = await csv.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Contains("\r\n'=1+1,1,", text, StringComparison.Ordinal);
    }

    [StartsPrograms, Fact]
    public async Task The_command_draws_a_chart_and_prints_rows_JSON_and_CSV()
    {
        await using var fixture = await AnalyticsFixture.StartAsync(postgres);
        for (var number = 0; number < 6; number++)
            await fixture.AddUserAsync($"u{number}", DateTimeOffset.UtcNow, DateTimeOffset.UtcNow.AddSeconds(1));

        var before = await RunAsync("funnel");
        var rebuilt = await RunAsync("rebuild", "--json");
        var text = await RunAsync("funnel", "--by", "way");
        var json = await RunAsync("funnel", "--by", "way", "--json");
        var csv = await RunAsync("latency", "--csv", "--by", "realm");
        var wrong = await RunAsync("funnel", "--by", "shoe", "--from", "x");

        Assert.Contains("run `analytics rebuild`", before.Error, StringComparison.Ordinal);
        Assert.Equal((0, 0, 0, 0, 2), (rebuilt.ExitCode, text.ExitCode, json.ExitCode, csv.ExitCode, wrong.ExitCode));
        Assert.True(JsonDocument.Parse(rebuilt.Output).RootElement.GetProperty("rows").GetInt32() > 0);
        Assert.Contains("█", text.Output, StringComparison.Ordinal);
        Assert.Contains("webhook  6", text.Output, StringComparison.Ordinal);
        using var row = JsonDocument.Parse(json.Output);
        Assert.Equal(
            ("webhook", "6"), (row.RootElement.GetProperty("group").GetString(), row.RootElement.GetProperty("inTime").GetString()));
        Assert.StartsWith("realm,users,p50_ms", csv.Output, StringComparison.Ordinal);
        Assert.Contains("--by is none of", wrong.Error, StringComparison.Ordinal);

        Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] arguments) => CommandProcess.RunAsync(
            new Dictionary<string, string?> { ["Storage:ConnectionString"] = fixture.Database.ConnectionString },
            ["analytics", .. arguments]);
    }

    private static async Task RebuildAsync(CreditsFixture fixture)
    {
        var (exitCode, _, error) = await CommandProcess.RunAsync(
            new Dictionary<string, string?> { ["Storage:ConnectionString"] = fixture.Database.ConnectionString }, "analytics", "rebuild");
        Assert.True(exitCode == 0, error);
    }
}
