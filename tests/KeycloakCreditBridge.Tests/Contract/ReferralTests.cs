using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Contract;

/// <summary>A user brings another one, both with tokens of Keycloak's.</summary>
public sealed class ReferralTests(KeycloakFixture servers, PostgresFixture postgres)
{
    private const string Path = "api/v1/credits/referrals";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(KeycloakKind.Emulator)]
    [InlineData(KeycloakKind.Keycloak26_7)]
    public async Task Both_are_paid_once_the_address_is_verified_and_credits_are_spent(KeycloakKind kind)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind);
        await fixture.StartBridgeAsync(
            ("Grants:Referrals:ReferrerCredits", "5"), ("Grants:Referrals:RefereeCredits", "3"),
            ("Grants:Referrals:Settle", "00:00:00"));
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>("select exists (select from grant_policies where policy = 'referral')"),
            "referrals are active");
        var ana = await fixture.CreateKnownAsync("ana");
        await fixture.UpdateUserAsync(ana, new JsonObject { ["emailVerified"] = true });
        var code = (string)(await AskAsync(fixture, HttpMethod.Get, await TokenOfAsync(fixture, "ana"))).Answer["code"]!;
        var bob = await fixture.CreateKnownAsync("bob");
        var token = await TokenOfAsync(fixture, "bob");
        foreach (var given in (string[])[code, code, "00000000"])
        {
            var (status, answer) = await AskAsync(fixture, HttpMethod.Post, token, new JsonObject { ["code"] = given });
            Assert.Equal((HttpStatusCode.Accepted, """{"taken":true}"""), (status, answer.ToJsonString()));
        }

        await SpendAsync(fixture, bob);
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>("select checked_at is not null from referrals"), "the referral is evaluated");
        Assert.Equal("touched", await fixture.Database.ScalarAsync<string>("select state from referrals"));
        await fixture.UpdateUserAsync(bob, new JsonObject { ["emailVerified"] = true });
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>("select state = 'paid' from referrals"), "the referral is paid");
        Assert.Equal(
            [$"{ana} 5", $"{bob} 3"],
            await fixture.Database.QueryAsync<string>(
                "select user_id || ' ' || trim_scale(amount) from credit_transactions where grant_key like 'referral:%' "
                    + "order by amount desc"));
    }

    private static async Task SpendAsync(ContractFixture fixture, string user)
    {
        var gateway = await TokenAsync(fixture, new()
        {
            ["grant_type"] = "client_credentials", ["client_id"] = "gateway", ["client_secret"] = ContractFixture.Secret,
        });
        var charge = new JsonObject { ["user_id"] = user, ["amount"] = 1, ["service"] = "openai" };
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(fixture, HttpMethod.Post, gateway, charge, "api/v1/credits/deduct")).Status);
    }

    private static Task<string> TokenOfAsync(ContractFixture fixture, string name) => TokenAsync(fixture, new()
    {
        ["grant_type"] = "password", ["client_id"] = "credits-demo", ["username"] = name,
        ["password"] = new SandboxUser("", "").Password,
    });

    private static async Task<string> TokenAsync(ContractFixture fixture, Dictionary<string, string> form)
    {
        using var http = new HttpClient();
        using var content = new FormUrlEncodedContent(form);
        using var response = await http.PostAsync(
            new Uri(fixture.KeycloakUrl, $"realms/{fixture.Realm}/protocol/openid-connect/token"), content, Token);
        var answer = await response.Content.ReadAsStringAsync(Token);
        Assert.True(response.IsSuccessStatusCode, answer);
        return (string)JsonNode.Parse(answer)!["access_token"]!;
    }

    // A busy server may not tell a realm's keys in the time that a caller has.
    private static async Task<(HttpStatusCode Status, JsonNode Answer)> AskAsync(
        ContractFixture fixture, HttpMethod method, string token, JsonObject? body = null, string path = Path)
    {
        using var http = new HttpClient();
        var (status, text) = (HttpStatusCode.ServiceUnavailable, "");
        await Eventually.TrueAsync(
            async () =>
            {
                using var request = new HttpRequestMessage(method, new Uri(fixture.BridgeUrl, path));
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
                if (body is not null)
                    request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
                using var response = await http.SendAsync(request, Token);
                (status, text) = (response.StatusCode, await response.Content.ReadAsStringAsync(Token));
                return status != HttpStatusCode.ServiceUnavailable;
            },
            "the realm tells its keys");
        return (status, JsonNode.Parse(text)!);
    }
}
