using System.Net;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Codes;

/// <summary>The commands and the request of docs/codes.md do what the page says, on the real executable.</summary>
[StartsPrograms]
public sealed partial class CodesExampleTests(PostgresFixture postgres)
{
    private static readonly string Page = File.ReadAllText(Path.Combine(Repository.Top, "docs", "codes.md"));

    [Fact]
    public async Task What_the_page_says_is_carried_out_by_commands_and_requests()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, ("Grants:Codes:Key", new string('k', 32)));
        var settings = BridgeFixture.Settings(fixture.Database.ConnectionString, fixture.Keycloak.Url);
        settings["Keycloak:Realms:1:Name"] = CreditsFixture.Other;
        settings["Grants:Codes:Key"] = new string('k', 32);
        List<string> printed = [];
        foreach (var example in Command().Matches(Page).Cast<Match>())
        {
            var (exitCode, output, error) = await RunAsync(example.Groups["command"].Value);
            Assert.True(exitCode == 0, $"{example.Value} ended with {exitCode}: {error}");
            printed.Add(output);
        }

        Assert.Equal(2, printed.Count);
        Assert.Equal(101, printed[0].TrimEnd().Split('\n').Length);
        Assert.Equal("number,code\n1,SPRING-2027\n", printed[1]);
        var user = await fixture.AddUserAsync();
        var body = Request().Match(Page).Groups["body"].Value;
        Assert.Equal(
            HttpStatusCode.Accepted,
            (await fixture.SendAsync(HttpMethod.Post, "api/v1/credits/codes/redeem", fixture.TokenOf(user), body, null)).Status);

        var (_, list, _) = await RunAsync("codes list");
        Assert.Matches(@"demo +spring +2.50 +1 +100 +1 +0 +1 +0 +never", list);
        Assert.Matches("^\\{\"campaign\":\"spring\",\"realm\":\"demo\",\"number\":1,\"taken\":1,\"places\":100,", (await RunAsync(
            "codes show spring --json")).Output);
        Assert.Equal(
            "Disabled 1 codes of campaign spring. What was redeemed stays.\n", (await RunAsync("codes disable spring")).Output);
        Assert.Equal(
            (0, "Campaign spring has 1 open redemptions, which gave 0.00 credits. Add --confirm 1 to void them.\n"),
            await DoneAsync("codes void spring --reason leaked"));
        Assert.Equal(1, (await RunAsync("codes void spring --reason leaked --confirm 7")).ExitCode);
        Assert.EndsWith(
            "Rejected 1 that were held.\n", (await RunAsync("codes void spring --reason leaked --confirm 1")).Output,
            StringComparison.Ordinal);

        Assert.Equal(1, (await RunAsync("codes create spring --credits 1")).ExitCode);
        Assert.Equal(1, (await RunAsync("codes create other --credits 1 --code SPR1NG2027 --max-redemptions 2")).ExitCode);
        Assert.Equal(1, (await RunAsync("codes show none")).ExitCode);
        var wrong = await RunAsync("codes create BAD --credits 0 --count 10001 --starts 2027-02-01 --ends 2027-01-01");
        Assert.Equal(2, wrong.ExitCode);
        foreach (var option in (string[])["NAME ", "--credits ", "--count ", "--ends "])
            Assert.Contains(option, wrong.Error, StringComparison.Ordinal);

        async Task<(int ExitCode, string Output, string Error)> RunAsync(string command)
        {
            string[] realm = command.StartsWith("codes list", StringComparison.Ordinal) ? [] : ["--realm", CreditsFixture.Realm];
            var (exitCode, output, error) = await CommandProcess.RunAsync(settings, [.. command.Split(' '), .. realm]);
            return (exitCode, output, error);
        }

        async Task<(int, string)> DoneAsync(string command)
        {
            var (exitCode, output, _) = await RunAsync(command);
            return (exitCode, output);
        }
    }

    [GeneratedRegex("^    KeycloakCreditBridge (?<command>codes [^>\n]+?)( > .*)?$", RegexOptions.Multiline)]
    private static partial Regex Command();

    [GeneratedRegex("-d '(?<body>[^']+)' http://bridge:8085/api/v1/credits/codes/redeem")]
    private static partial Regex Request();
}
