using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Api.Tokens;

public sealed class RealTokenTests(KeycloakFixture servers, PostgresFixture postgres)
{
    private const string Balance = "api/v1/credits/balance";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // The steps of the script that existing installations were accepted by: provisioning at the first read, its values, the ledger, and
    // that the second read finds the same account.
    [Theory, EveryKeycloak]
    public async Task A_token_of_Keycloak_s_provisions_at_the_first_read_and_finds_the_same_account_at_the_second(KeycloakKind kind)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Nothing);
        await fixture.LaunchBridgeAsync(("Reconciliation:Enabled", "false"));
        await fixture.Bridge.Services.GetRequiredService<SchemaGate>().WaitAsync(Token);
        var id = await fixture.CreateUserAsync("testuser");
        var token = await PasswordTokenAsync(fixture, "credits-demo");

        var (status, first) = (HttpStatusCode.ServiceUnavailable, (JsonNode)new JsonObject());
        // A busy server may not tell a realm's keys in the time that a caller has.
        await Eventually.TrueAsync(
            async () =>
            {
                (status, first) = await AskAsync(fixture, HttpMethod.Get, Balance, token);
                return status != HttpStatusCode.ServiceUnavailable;
            },
            "the realm tells its keys");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(
            (id, "5.000000", "5.000000", "trial"),
            (Text(first, "user_id"), Text(first, "credits_remaining"), Text(first, "credits_allocated"), Text(first, "tier")));
        await fixture.Database.AssertOpenedAsync(id, HintSources.FirstRead);
        var (_, second) = await AskAsync(fixture, HttpMethod.Get, Balance, token);
        Assert.Equal(Text(first, "created_at"), Text(second, "created_at"));

        // The gateway's own token reads and deducts for the user; the user's deducts nothing, and the gateway has no account.
        var gateway = await ClientTokenAsync(fixture, "gateway");
        var charge = new JsonObject { ["user_id"] = id, ["amount"] = "0.000053", ["service"] = "openai", ["model"] = "gpt-4o-mini" };
        Assert.Equal("4.999947", Text((await AskAsync(fixture, HttpMethod.Post, "api/v1/credits/deduct", gateway, charge)).Answer,
            "balance"));
        Assert.Equal(HttpStatusCode.Forbidden, (await AskAsync(fixture, HttpMethod.Post, "api/v1/credits/deduct", token, charge)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await AskAsync(fixture, HttpMethod.Get, Balance, gateway)).Status);
        // A token made for something else is none for credits.
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(fixture, HttpMethod.Get, Balance,
            await ClientTokenAsync(fixture, DemoRealm.ClientId))).Status);
        Assert.Equal(1, await fixture.Database.ScalarAsync<int>("select count(*)::int from user_credits"));
    }

    private static string? Text(JsonNode answer, string field) => (string?)answer[field];

    internal static Task<string> PasswordTokenAsync(ContractFixture fixture, string client) => TokenAsync(fixture, new()
    {
        ["grant_type"] = "password", ["client_id"] = client, ["username"] = "testuser", ["password"] = new SandboxUser("", "").Password,
    });

    internal static Task<string> ClientTokenAsync(ContractFixture fixture, string client) => TokenAsync(fixture, new()
    {
        ["grant_type"] = "client_credentials", ["client_id"] = client, ["client_secret"] = ContractFixture.Secret,
    });

    private static async Task<string> TokenAsync(ContractFixture fixture, Dictionary<string, string> form)
    {
        using var http = new HttpClient();
        using var content = new FormUrlEncodedContent(form);
        using var response =
            await http.PostAsync(new Uri(fixture.KeycloakUrl, $"realms/{fixture.Realm}/protocol/openid-connect/token"), content,
            Token);
        var answer = await response.Content.ReadAsStringAsync(Token);
        Assert.True(response.IsSuccessStatusCode, answer);
        return (string)JsonNode.Parse(answer)!["access_token"]!;
    }

    internal static async Task<(HttpStatusCode Status, JsonNode Answer)> AskAsync(
        ContractFixture fixture, HttpMethod method, string path, string token, JsonObject? body = null)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(method, new Uri(fixture.BridgeUrl, path));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (body is not null)
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        using var response = await http.SendAsync(request, Token);
        return (response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync(Token))!);
    }
}
