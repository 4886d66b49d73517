using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Tests.Api.Tokens;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Documents;

/// <summary>The requests and commands of docs/credits-that-end.md do what the page says, in its order.</summary>
[StartsPrograms]
public sealed partial class CreditsThatEndExampleTests(KeycloakFixture servers, PostgresFixture postgres)
{
    private const string User = "8b1f6b1e-6f5c-4b6e-9d0e-3f0c7c1d2a10";
    private const string Allocated = "tx:0f0e0d0c-0b0a-4909-8807-060504030201";

    private static readonly string Page = File.ReadAllText(Path.Combine(Repository.Top, "docs", "credits-that-end.md"));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_request_and_command_of_the_page_is_carried_out()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(new EmulatedUser(User, "ana"));
        var token = fixture.TokenOf("admin", CreditsFixture.Admin);
        await fixture.GetAsync($"{CreditsFixture.Balance}?user_id={User}", token);
        await fixture.HintsDoneAsync();
        await CarryOutAsync(
            User, fixture.Database, BridgeFixture.Settings(fixture.Database.ConnectionString, fixture.Keycloak.Url),
            async (method, path, body) =>
            {
                var answer = await fixture.SendAsync(method, path, token, body, null);
                return (answer.Status, answer.Body);
            });
    }

    // The same with users, tokens and look-ups of a real server. Its gateway stands for an administrator's tool.
    [Theory]
    [InlineData(KeycloakKind.Keycloak26_7)]
    public async Task On_a_real_Keycloak_too(KeycloakKind kind)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Nothing);
        await fixture.Admin.SetServiceAccountRolesAsync(
            fixture.Realm, "gateway", [CreditsFixture.Admin], Token, rolesOf: DemoRealm.ClientId);
        await fixture.StartBridgeAsync(("Grants:Opening:ExpiresAfter", "30.00:00:00"), ("Grants:Period:ExpiresAfter", "31.00:00:00"));
        var user = await fixture.CreateUserAsync("ana");
        await fixture.ReconcileAsync();
        Assert.True(await fixture.Database.ScalarAsync<bool>(
            "select next_expiry > now() + interval '29 days' from user_credits where user_id = @user", new { user }));
        var token = await RealTokenTests.ClientTokenAsync(fixture, "gateway");
        await CarryOutAsync(
            user, fixture.Database,
            fixture.Settings.ToDictionary(pair => pair.Key, pair => (string?)pair.Value, StringComparer.OrdinalIgnoreCase),
            async (method, path, body) =>
            {
                var (status, answer) = await RealTokenTests.AskAsync(
                    fixture, method, path, token, body is null ? null : JsonNode.Parse(body)!.AsObject());
                return (status, answer.ToJsonString());
            });
    }

    private static async Task CarryOutAsync(
        string user, TestDatabase database, Dictionary<string, string?> settings,
        Func<HttpMethod, string, string?, Task<(HttpStatusCode Status, string Body)>> send)
    {
        var (requests, commands) = (0, 0);
        foreach (var example in Example().Matches(Page).Cast<Match>())
        {
            if (example.Groups["path"].Success)
            {
                var body = example.Groups["body"] is { Success: true } given ? given.Value : null;
                var method = example.Groups["method"] is { Success: true } named ? HttpMethod.Parse(named.Value)
                    : body is null ? HttpMethod.Get : HttpMethod.Post;
                await SendAsync(method, example.Groups["path"].Value, body);
                requests++;
            }
            else
            {
                // What an example voids, the next one moves: it stands for another grant.
                await AllocateAgainAsync();
                var command = (await NowAsync(example.Groups["command"].Value)).Split(' ');
                var (exitCode, _, error) = await CommandProcess.RunAsync(settings, command);
                Assert.True(exitCode == 0, $"{string.Join(' ', command)} ended with {exitCode}: {error}");
                await AllocateAgainAsync();
                commands++;
            }
        }

        Assert.Equal((4, 4), (requests, commands));

        Task AllocateAgainAsync()
        {
            var example = Example().Matches(Page)
                .First(example => example.Groups["path"].Value.EndsWith("allocate", StringComparison.Ordinal));
            return SendAsync(HttpMethod.Post, example.Groups["path"].Value, example.Groups["body"].Value);
        }

        async Task SendAsync(HttpMethod method, string path, string? body)
        {
            var address = await NowAsync(path);
            var (status, answer) = await send(method, address, body is null ? null : await NowAsync(body));
            Assert.True(status == HttpStatusCode.OK, $"{method} {address}: {status} {answer}");
        }

        // The page names a user and a grant that do not exist here: the user of the test and the grant that was allocated last stand in.
        async Task<string> NowAsync(string text) => text
            .Replace(User, user, StringComparison.Ordinal)
            .Replace(
                Allocated, await database.ScalarAsync<string>(
                    "select 'tx:' || id from credit_transactions where user_id = @user and transaction_type = 'bonus' "
                        + "order by created_at desc limit 1",
                    new { user }),
                StringComparison.Ordinal);
    }

    [GeneratedRegex(
        @"^    (curl (-X (?<method>\S+) )?(.|\\\n)*?(-d '(?<body>[^']+)'(.|\\\n)*?)?'?http://bridge:8085/(?<path>[^\s']+)'?$"
            + "|KeycloakCreditBridge (?<command>.+)$)",
        RegexOptions.Multiline)]
    private static partial Regex Example();
}
