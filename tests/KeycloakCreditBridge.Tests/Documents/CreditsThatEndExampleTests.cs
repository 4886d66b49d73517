using System.Net;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Documents;

/// <summary>The requests and commands of docs/credits-that-end.md do what the page says, in its order.</summary>
public sealed partial class CreditsThatEndExampleTests(PostgresFixture postgres)
{
    private const string User = "8b1f6b1e-6f5c-4b6e-9d0e-3f0c7c1d2a10";
    private const string Allocated = "tx:0f0e0d0c-0b0a-4909-8807-060504030201";

    private static readonly string Page = File.ReadAllText(Path.Combine(Repository.Top, "docs", "credits-that-end.md"));

    [Fact]
    public async Task Every_request_and_command_of_the_page_is_carried_out()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(new EmulatedUser(User, "ana"));
        var token = fixture.TokenOf("admin", CreditsFixture.Admin);
        await fixture.GetAsync($"{CreditsFixture.Balance}?user_id={User}", token);
        await fixture.HintsDoneAsync();
        var settings = BridgeFixture.Settings(fixture.Database.ConnectionString, fixture.Keycloak.Url);
        var (requests, commands) = (0, 0);
        foreach (var example in Example().Matches(Page).Cast<Match>())
        {
            if (example.Groups["path"].Success)
            {
                var body = example.Groups["body"] is { Success: true } given ? given.Value : null;
                var method = example.Groups["method"] is { Success: true } named ? HttpMethod.Parse(named.Value)
                    : body is null ? HttpMethod.Get : HttpMethod.Post;
                var path = await NowAsync(fixture, example.Groups["path"].Value);
                var answer = await fixture.SendAsync(method, path, token, body, null);
                Assert.True(answer.Status == HttpStatusCode.OK, $"{method} {path}: {answer.Status} {answer.Body}");
                requests++;
            }
            else
            {
                // What an example voids, the next one moves: it stands for another grant.
                await AllocateAgainAsync(fixture, token);
                var command = (await NowAsync(fixture, example.Groups["command"].Value)).Split(' ');
                var (exitCode, _, error) = await CommandProcess.RunAsync(settings, command);
                Assert.True(exitCode == 0, $"{string.Join(' ', command)} ended with {exitCode}: {error}");
                await AllocateAgainAsync(fixture, token);
                commands++;
            }
        }

        Assert.Equal((4, 4), (requests, commands));
    }

    private static async Task AllocateAgainAsync(CreditsFixture fixture, string token)
    {
        var body = Example().Matches(Page).First(example => example.Groups["path"].Value.EndsWith("allocate", StringComparison.Ordinal))
            .Groups["body"].Value;
        Assert.Equal(HttpStatusCode.OK, (await fixture.SendAsync(HttpMethod.Post, CreditsFixture.Allocate, token, body, null)).Status);
    }

    // The page names a grant that does not exist here: the one that was allocated last stands in.
    private static async Task<string> NowAsync(CreditsFixture fixture, string text) => text.Replace(
        Allocated, await fixture.Database.ScalarAsync<string>(
            "select 'tx:' || id from credit_transactions where user_id = @User and transaction_type = 'bonus' "
                + "order by created_at desc limit 1",
            new { User }),
        StringComparison.Ordinal);

    [GeneratedRegex(
        @"^    (curl (-X (?<method>\S+) )?(.|\\\n)*?(-d '(?<body>[^']+)'(.|\\\n)*?)?'?http://bridge:8085/(?<path>[^\s']+)'?$"
            + "|KeycloakCreditBridge (?<command>.+)$)",
        RegexOptions.Multiline)]
    private static partial Regex Example();
}
