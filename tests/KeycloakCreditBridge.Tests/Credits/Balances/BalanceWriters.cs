using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Metering;

namespace KeycloakCreditBridge.Tests.Credits.Balances;

/// <summary>Each way in which a user's balance or account changes.</summary>
internal static class BalanceWriters
{
    public const string GatewayKey = "key-of-the-gateway-0123456789";

    /// <summary>What changes the account of a user, by name.</summary>
    public static readonly Dictionary<string, Func<CreditsFixture, string, Task>> All = new(StringComparer.Ordinal)
    {
        ["deduct"] = (fixture, id) => PostAsync(fixture, CreditsFixture.Deduct,
            new JsonObject { ["user_id"] = id, ["amount"] = "1", ["service"] = "s" }),
        ["allocate"] = (fixture, id) => PostAsync(fixture, CreditsFixture.Allocate,
        new JsonObject { ["user_id"] = id, ["amount"] = "1", ["source"] = "s" }),
        ["refund"] = (fixture, id) => PostAsync(fixture, CreditsFixture.Refund,
        new JsonObject { ["user_id"] = id, ["amount"] = "1", ["reason"] = "s" }),
        ["usage"] = (fixture, id) => PostAsync(fixture, CreditsFixture.Track,
        new JsonObject { ["user_id"] = id, ["cost"] = "1", ["service"] = "s" }),
        ["tier"] = (fixture, id) => PostAsync(fixture, "api/v1/credits/tiers/switch",
        new JsonObject { ["user_id"] = id, ["new_tier"] = "starter" }),
        ["meter"] = ReportAsync,
        ["hold"] = (fixture, id) => ConvergeAsync(fixture, id, user => user with { Enabled = false }),
        ["rename"] = (fixture, id) => ConvergeAsync(fixture, id, user => user with { Email = "later@example.com" }),
        ["raw update"] = (fixture, id) => fixture.Database.ExecuteAsync("update user_credits set monthly_cap = 7 where user_id = (select "
            + "account_id from keycloak_users where keycloak_id = @id)", new { id }),
        ["raw update of all"] = async (fixture, _) =>
        {
            await fixture.Database.ExecuteAsync(
                "insert into user_credits (user_id, credits_remaining) select 'x' || n, 0 from generate_series(1, 1000) n");
            await fixture.Database.ExecuteAsync("update user_credits set monthly_cap = 7");
        },
    };

    public static async Task PostAsync(CreditsFixture fixture, string path, JsonObject body)
    {
        var answer = await fixture.PostAsync(path, fixture.TokenOf("boss", CreditsFixture.Admin, CreditsFixture.Service), body);
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Body);
    }

    private static async Task ConvergeAsync(CreditsFixture fixture, string id, Func<EmulatedUser, EmulatedUser> change)
    {
        fixture.Keycloak.Realm(CreditsFixture.Realm).ChangeUser(id, change);
        await PostAsync(fixture, $"api/v1/admin/users/{id}/initialize", []);
    }

    private static async Task ReportAsync(CreditsFixture fixture, string id)
    {
        using var http = new HttpClient();
        using var report = new StringContent(new JsonArray(MeteringFixture.Record("r1", id, 1m)).ToJsonString());
        report.Headers.Add("x-api-key", GatewayKey);
        using var answer =
            await http.PostAsync(new Uri(fixture.Bridge.Url, "usage/litellm"), report, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }
}
