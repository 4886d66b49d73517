using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Credits.Codes;
using KeycloakCreditBridge.Tests.Faults;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Codes;

/// <summary>The real executable is killed at each statement that redeems, pays or voids a code.</summary>
[StartsPrograms]
public sealed class CodeKillTests(PostgresFixture postgres)
{
    private const string Redeem = "api/v1/credits/codes/redeem";

    private const string StateSql =
        """
        select (select sum(redeemed) from codes) || ' ' || (select coalesce(string_agg(state, ','), '') from code_redemptions) || ' '
            || (select count(*) from credit_transactions where grant_key like 'code:%') || ' '
            || (select count(*) from credit_transactions where grant_key like 'void:%')
        """;

    private static readonly (string, string?) Key = ("Grants:Codes:Key", new string('k', 32));

    [Theory]
    [InlineData("code")]
    [InlineData("code_grant")]
    public async Task A_killed_redemption_has_taken_nothing_and_its_repetition_pays_once(string step)
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Key);
        var code = await RedeemRouteTests.MakeAsync(fixture, new JsonObject { ["name"] = "spring", ["credits"] = 2 });
        var token = fixture.TokenOf(await fixture.AddUserAsync());
        await RedeemKilledAsync(fixture, token, code, step);
        Assert.Equal("0  0 0", await fixture.Database.ScalarAsync<string>(StateSql));
        Assert.Equal(HttpStatusCode.Created, (await fixture.PostAsync(Redeem, token, RedeemRouteTests.Body(code))).Status);
        Assert.Equal(HttpStatusCode.OK, (await fixture.PostAsync(Redeem, token, RedeemRouteTests.Body(code))).Status);
        Assert.Equal("1 paid 1 0", await fixture.Database.ScalarAsync<string>(StateSql));
    }

    [Theory]
    [InlineData("code_held")]
    [InlineData("code_grant")]
    public async Task A_place_that_is_kept_when_its_replica_is_killed_is_paid_once_by_another_one(string step)
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Key);
        var code = await RedeemRouteTests.MakeAsync(
            fixture, new JsonObject { ["name"] = "spring", ["credits"] = 2, ["verified_email"] = true });
        var user = await fixture.AddUserAsync();
        var token = fixture.TokenOf(user);
        fixture.Keycloak.Realm(CreditsFixture.Realm).ChangeUser(
            user, item => item with { Email = "ana@example.com", EmailVerified = true });
        await fixture.Bridge.StopAsync();
        await RedeemKilledAsync(fixture, token, code, step);
        Assert.Equal("1 held 0 0", await fixture.Database.ScalarAsync<string>(StateSql));
        await using var next = BridgeProcess.Launch(FaultFixture.NewUrl(), Settings(fixture));
        await Eventually.TrueAsync(
            async () => await fixture.Database.ScalarAsync<string>(StateSql) == "1 paid 1 0", $"the next replica pays: {next.Log}");
        Assert.Equal(7m, await fixture.BalanceOfAsync(user));
    }

    [Theory]
    [InlineData("void", "1 paid 1 0")]
    [InlineData("code_end", "1 paid 1 1")]
    public async Task A_killed_void_of_a_campaign_is_repeated_and_takes_once(string step, string after)
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Key);
        var code = await RedeemRouteTests.MakeAsync(fixture, new JsonObject { ["name"] = "spring", ["credits"] = 2 });
        var user = await fixture.AddUserAsync();
        await fixture.PostAsync(Redeem, fixture.TokenOf(user), RedeemRouteTests.Body(code));
        string[] order = ["codes", "void", "spring", "--realm", CreditsFixture.Realm, "--reason", "test", "--release", "--confirm", "1"];
        var settings = Settings(fixture);
        KillPoint.Plant(settings, step);
        Assert.Equal(KillPointTests.Killed, (await CommandProcess.RunAsync(Nullable(settings), order)).ExitCode);
        Assert.Equal(after, await fixture.Database.ScalarAsync<string>(StateSql));
        Assert.Equal(0, (await CommandProcess.RunAsync(Nullable(Settings(fixture)), order)).ExitCode);
        Assert.Equal(1, (await CommandProcess.RunAsync(Nullable(Settings(fixture)), order)).ExitCode);
        Assert.Equal("0 void 1 1", await fixture.Database.ScalarAsync<string>(StateSql));
        Assert.Equal(5m, await fixture.BalanceOfAsync(user));
    }

    private static Dictionary<string, string> Settings(CreditsFixture fixture) => new(
        BridgeFixture.Settings(fixture.Database.ConnectionString, fixture.Keycloak.Url).Select(
            setting => KeyValuePair.Create(setting.Key, setting.Value ?? "")), StringComparer.Ordinal)
    {
        [Key.Item1] = Key.Item2!,
    };

    private static Dictionary<string, string?> Nullable(Dictionary<string, string> settings) =>
        settings.ToDictionary(setting => setting.Key, string? (setting) => setting.Value, StringComparer.Ordinal);

    private static async Task RedeemKilledAsync(CreditsFixture fixture, string token, string code, string step)
    {
        var (settings, url) = (Settings(fixture), FaultFixture.NewUrl());
        KillPoint.Plant(settings, step);
        settings["Urls"] = url.ToString();
        await using var killed = BridgeProcess.Launch(url, settings);
        await Eventually.TrueAsync(
            async () => await killed.StatusAsync("health/ready") == HttpStatusCode.OK, $"the other replica is ready: {killed.Log}");
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(url, Redeem));
        request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        request.Content = new StringContent(RedeemRouteTests.Body(code).ToJsonString(), Encoding.UTF8, "application/json");
        await Assert.ThrowsAsync<HttpRequestException>(() => http.SendAsync(request, TestContext.Current.CancellationToken));
        await Eventually.TrueAsync(() => Task.FromResult(killed.HasExited), $"the redemption reaches the step: {killed.Log}");
    }
}
