using System.Net;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Documents;

/// <summary>The settings of the runbook by which an operator goes back do what it says.</summary>
[StartsPrograms]
public sealed partial class GoingBackTests(PostgresFixture postgres)
{
    private const string Webhook = "webhooks/keycloak/demo";

    [Fact]
    public async Task Without_events_a_first_read_opens_the_account()
    {
        await using var fixture = await StartAsync("events off");
        var user = AddUser(fixture);

        Assert.Equal(HttpStatusCode.NotFound, await DeliverAsync(fixture));
        Assert.Equal(0, fixture.Keycloak.Requests["GET /admin/realms/{realm}/events"]);
        Assert.Equal(HttpStatusCode.OK, (await fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf(user))).Status);
        await fixture.HintsDoneAsync();
        Assert.Equal(user, await fixture.Database.ScalarAsync<string>("select user_id from user_credits"));
    }

    [Fact]
    public async Task With_webhooks_on_the_same_request_is_taken()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, ("Intake:Webhook:AllowUnsigned", "true"));
        Assert.Equal(HttpStatusCode.BadRequest, await DeliverAsync(fixture));
    }

    [Fact]
    public async Task New_accounts_get_another_amount()
    {
        await using var fixture = await StartAsync("another amount");
        var user = AddUser(fixture);
        await fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf(user));
        await fixture.HintsDoneAsync();
        Assert.Equal(2.5m, await fixture.Database.ScalarAsync<decimal>("select credits_remaining from user_credits"));
    }

    [Fact]
    public async Task By_hand_only_a_command_opens_the_account()
    {
        await using var fixture = await StartAsync("by hand only");
        var user = AddUser(fixture);
        Assert.Equal(HttpStatusCode.NotFound, await DeliverAsync(fixture));
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf(user))).Status);

        var settings = BridgeFixture.Settings(fixture.Database.ConnectionString, fixture.Keycloak.Url);
        foreach (var (key, value) in Settings("by hand only"))
            settings[key] = value;
        var (exitCode, output, error) = await CommandProcess.RunAsync(
            settings, "backfill", "--realm", CreditsFixture.Realm, "--user", user);
        Assert.True(exitCode == 0, $"It ended with {exitCode}: {output}{error}");
        Assert.Equal(user, await fixture.Database.ScalarAsync<string>("select user_id from user_credits"));
    }

    private Task<CreditsFixture> StartAsync(string name) =>
        CreditsFixture.StartAsync(postgres, [("Intake:Webhook:AllowUnsigned", "true"), ("Intake:Poll:Enabled", "true"), .. Settings(name)]);

    private static string AddUser(CreditsFixture fixture)
    {
        var user = new EmulatedUser(EmulatedUser.NewId(), "ana");
        fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(user);
        return user.Id;
    }

    private static async Task<HttpStatusCode> DeliverAsync(CreditsFixture fixture) =>
        (await fixture.SendAsync(HttpMethod.Post, Webhook, null, "{}", null)).Status;

    private static (string Key, string? Value)[] Settings(string name)
    {
        var page = File.ReadAllText(Path.Combine(Repository.Top, "docs", "runbook.md"));
        var block = Regex.Match(page, $"^```sh\n# {name}\n(?<lines>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline);
        Assert.True(block.Success, $"docs/runbook.md has no settings '{name}'.");
        return [.. Line().Matches(block.Groups["lines"].Value).Select(line =>
            (line.Groups["key"].Value.Replace("__", ":", StringComparison.Ordinal), (string?)line.Groups["value"].Value))];
    }

    [GeneratedRegex("^(?<key>[^=\n]+)=(?<value>.+)$", RegexOptions.Multiline)]
    private static partial Regex Line();
}
