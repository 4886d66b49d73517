using System.Text.Json.Nodes;
using KeycloakCreditBridge.Adoption;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Metering;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using static KeycloakCreditBridge.Tests.Metering.MeteringFixture;

namespace KeycloakCreditBridge.Tests.Adoption;

/// <summary>Usage reported for two accounts of one user, before and after they are joined.</summary>
public sealed class AdoptedUsageTests(PostgresFixture postgres)
{
    private const string Address = "ana@example.com";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("{id}")]
    [InlineData("{email}")]
    public async Task Usage_of_both_accounts_is_the_joined_one_s_and_is_not_charged_again(string template)
    {
        await using var fixture = await StartAsync(postgres, ("Provisioning:AccountId", template), ("Reconciliation:Enabled", "false"));
        var id = EmulatedUser.NewId();
        fixture.Keycloak.Server.Realm(EmulatorFixture.Realm).AddUser(new EmulatedUser(id, "ana") { Email = Address, EmailVerified = true });
        await fixture.AskAsync(id);
        var (account, twin) = template == "{id}" ? (id, Address) : (Address, id);
        Assert.Equal([account], await fixture.Database.QueryAsync<string>("select user_id from user_credits"));
        await fixture.Database.ExecuteAsync(ExistingInstallation.FirstCall, new { Id = twin });
        await fixture.ReportAsync(Record("r1", id, 1m), Record("r2", Address, 0.5m));

        await fixture.Bridge.Services.GetRequiredService<Adopter>().ApplyAsync(
            new AdoptionOptions(TrustAddresses: false, 5, 10), new Progress<long>(), Token);
        var balance = await fixture.BalanceAsync(account);
        await fixture.ReportAsync(Record("r1", account, 1m), Record("r2", account, 0.5m), Record("r1", id, 1m));

        Assert.Equal([account], await fixture.Database.QueryAsync<string>("select user_id from user_credits"));
        Assert.Equal([1m, 0.5m], await fixture.ChargesAsync(account));
        Assert.Equal(balance, await fixture.BalanceAsync(account));
        var summary = await UsageAsync(fixture, id, "summary");
        Assert.Equal((2, "1.500000", 200), ((int)summary["total_events"]!, (string)summary["total_cost"]!, (int)summary["total_tokens"]!));
        var model = Assert.Single((await UsageAsync(fixture, id, "by-model")).AsArray())!;
        Assert.Equal(("gpt-4o-mini", 2, "1.500000"), ((string)model["model"]!, (int)model["events"]!, (string)model["cost"]!));
    }

    private static async Task<JsonNode> UsageAsync(MeteringFixture fixture, string id, string path)
    {
        var token = fixture.Keycloak.Server.Realm(EmulatorFixture.Realm).Sign(new JsonObject
        {
            ["iss"] = $"{fixture.Keycloak.Server.Url}realms/{EmulatorFixture.Realm}",
            ["aud"] = "credit-bridge",
            ["iat"] = DateTimeOffset.UtcNow.AddSeconds(-1).ToUnixTimeSeconds(),
            ["exp"] = DateTimeOffset.UtcNow.AddMinutes(5).ToUnixTimeSeconds(),
            ["typ"] = "Bearer",
            ["sub"] = id,
        });
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization = new("Bearer", token);
        return JsonNode.Parse(await http.GetStringAsync(new Uri(fixture.Bridge.Url, $"api/v1/credits/usage/{path}"), Token))!;
    }
}
