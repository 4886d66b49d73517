using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Codes;

/// <summary>Users redeem codes with their own tokens.</summary>
public sealed class RedeemRouteTests(PostgresFixture postgres)
{
    private const string Codes = "api/v1/credits/codes";
    private const string Redeem = $"{Codes}/redeem";

    private static readonly (string, string?) Key = ("Grants:Codes:Key", new string('k', 32));

    [Fact]
    public async Task A_code_pays_once_and_its_repetition_is_answered_like_the_first()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Key);
        var code = await MakeAsync(fixture, new JsonObject { ["name"] = "spring", ["credits"] = 2.5m });
        var user = await fixture.AddUserAsync();
        var first = await fixture.PostAsync(Redeem, fixture.TokenOf(user), Body(code));
        var again = await fixture.PostAsync(Redeem, fixture.TokenOf(user), Body($" {code.ToLowerInvariant()} "));
        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.OK), (first.Status, again.Status));
        Assert.Equal(first.Body, again.Body);
        Assert.Equal(("paid", "2.500000", "7.500000"), (first["state"], first["amount"], first["balance"]));
        Assert.Equal("7.500000", (await fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf(user)))["balance"]);
        // A user that no event announced opens an account by redeeming.
        var many = await MakeAsync(
            fixture, new JsonObject { ["name"] = "many", ["credits"] = 1, ["code"] = "SPRING-2027", ["max_redemptions"] = 9 });
        fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(new EmulatedUser("new", "new"));
        Assert.Equal("6.000000", (await fixture.PostAsync(Redeem, fixture.TokenOf("new"), Body(many)))["balance"]);
    }

    [Fact]
    public async Task A_refusal_tells_nothing_of_the_code()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Key, ("Grants:Codes:FailuresPerUser", "3"));
        var (ana, ben) = (await fixture.AddUserAsync(), await fixture.AddUserAsync());
        var used = await MakeAsync(fixture, new JsonObject { ["name"] = "used", ["credits"] = 1 });
        var disabled = await MakeAsync(fixture, new JsonObject { ["name"] = "disabled", ["credits"] = 1 });
        var early = await MakeAsync(
            fixture, new JsonObject { ["name"] = "early", ["credits"] = 1, ["starts_at"] = "2099-01-01T00:00:00Z" });
        await fixture.PostAsync(Redeem, fixture.TokenOf(ben), Body(used));
        await fixture.PostAsync($"{Codes}/disabled/disable", Admin(fixture), []);
        List<ApiReply> answers = [];
        foreach (var code in (string[])[used, disabled, early, "7Q2M-X0PD-4KTV-9HRA", "\u0410\u0411\u0412\u0413", "' or 1=1 --"])
        {
            var user = await fixture.AddUserAsync();
            answers.Add(await fixture.PostAsync(Redeem, fixture.TokenOf(user), Body(code)));
        }

        Assert.All(answers, answer => Assert.Equal((HttpStatusCode.NotFound, Text(answers[0])), (answer.Status, Text(answer))));
        Assert.Equal("This code cannot be redeemed.", answers[0].Detail);
        // The limit of a user is the same for a code that exists.
        var good = await MakeAsync(fixture, new JsonObject { ["name"] = "good", ["credits"] = 1 });
        for (var guess = 0; guess < 3; guess++)
            Assert.Equal(HttpStatusCode.NotFound, (await fixture.PostAsync(Redeem, fixture.TokenOf(ana), Body($"guess-{guess}"))).Status);
        var (limited, guessed) = (
            await fixture.PostAsync(Redeem, fixture.TokenOf(ana), Body(good)),
            await fixture.PostAsync(Redeem, fixture.TokenOf(ana), Body("guess")));
        Assert.Equal((HttpStatusCode.TooManyRequests, Text(guessed)), (limited.Status, Text(limited)));
        Assert.InRange(limited.RetryAfter!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(15));
        Assert.Equal(5m, await fixture.BalanceOfAsync(ana));
    }

    [Fact]
    public async Task A_request_that_cannot_be_a_code_is_refused_by_what_is_wrong_with_it()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Key);
        var token = fixture.TokenOf(await fixture.AddUserAsync());
        Assert.Contains(
            "longer than 64", (await fixture.PostAsync(Redeem, token, Body(new string('A', 65)))).Detail, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.PostAsync(Redeem, token, Body(new string('A', 64)))).Status);
        JsonObject[] wrong = [[], Body(""), Body("A\0B"), new() { ["code"] = 7 }, new() { ["code"] = "A", ["user_id"] = "b" }];
        foreach (var body in wrong)
            Assert.Equal(HttpStatusCode.BadRequest, (await fixture.PostAsync(Redeem, token, body)).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await fixture.PostAsync(Redeem, null, Body("A"))).Status);
        Assert.Equal(1, await fixture.Database.ScalarAsync<int>("select count(*)::int from code_failures"));
    }

    [Fact]
    public async Task A_place_is_kept_until_the_address_is_verified_and_then_paid_once()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Key);
        var realm = fixture.Keycloak.Realm(CreditsFixture.Realm);
        var code = await MakeAsync(
            fixture, new JsonObject { ["name"] = "spring", ["credits"] = 2, ["verified_email"] = true, ["expires_after"] = "30.00:00:00" });
        var (ana, ben) = (await fixture.AddUserAsync(), await fixture.AddUserAsync());
        var held = await fixture.PostAsync(Redeem, fixture.TokenOf(ana), Body(code));
        Assert.Equal(HttpStatusCode.Accepted, held.Status);
        Assert.Equal(("held", "email_verified", "5.000000"), (held["state"], (string?)held.Json["missing"]![0], held["balance"]));
        // The flag alone is no address.
        realm.ChangeUser(ana, user => user with { EmailVerified = true });
        Assert.Equal(HttpStatusCode.Accepted, (await fixture.PostAsync(Redeem, fixture.TokenOf(ana), Body(code))).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.PostAsync(Redeem, fixture.TokenOf(ben), Body(code))).Status);
        realm.ChangeUser(ana, user => user with { Email = "ana@example.com" });
        Assert.Equal(HttpStatusCode.Created, (await fixture.PostAsync(Redeem, fixture.TokenOf(ana), Body(code))).Status);
        Assert.Equal(HttpStatusCode.OK, (await fixture.PostAsync(Redeem, fixture.TokenOf(ana), Body(code))).Status);
        Assert.Equal("purchase 5.000000 5.000000, bonus 2.000000 7.000000", await fixture.LedgerOfAsync(ana));
        var grants = await fixture.GetAsync("api/v1/credits/grants", fixture.TokenOf(ana));
        Assert.Equal("code:spring", (string?)grants.Json["grants"]![0]!["policy"]);
        Assert.NotNull(grants.Json["grants"]![0]!["expires_at"]);
    }

    [StartsPrograms, Fact]
    public async Task A_complete_run_pays_the_kept_place_of_an_address_that_was_verified_silently()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Key);
        var code = await MakeAsync(fixture, new JsonObject { ["name"] = "spring", ["credits"] = 2, ["verified_email"] = true });
        var (ana, ben) = (await fixture.AddUserAsync(), await fixture.AddUserAsync());
        Assert.Equal(HttpStatusCode.Accepted, (await fixture.PostAsync(Redeem, fixture.TokenOf(ana), Body(code))).Status);
        await fixture.HintsDoneAsync();
        foreach (var user in (string[])[ana, ben])
        {
            fixture.Keycloak.Realm(CreditsFixture.Realm).ChangeUser(
                user, item => item with { Email = $"{user}@example.com", EmailVerified = true });
        }

        var settings = BridgeFixture.Settings(fixture.Database.ConnectionString, fixture.Keycloak.Url);
        settings[Key.Item1] = Key.Item2;
        Assert.Equal(0, (await CommandProcess.RunAsync(settings, "reconcile")).ExitCode);
        Assert.Equal((7m, 5m), (await fixture.BalanceOfAsync(ana), await fixture.BalanceOfAsync(ben)));
    }

    [Theory]
    [InlineData("email", "ana@example.com", "ana@example.com")]
    [InlineData("inbox", "ana.b+one@gmail.com", "anab+two@googlemail.com")]
    public async Task A_user_that_is_deleted_and_registers_again_with_the_address_is_paid_once(string once, string first, string second)
    {
        await using var fixture = await CreditsFixture.StartAsync(
            postgres, Key, ("Provisioning:SignupGrant:EmailKey", new string('e', 32)));
        var realm = fixture.Keycloak.Realm(CreditsFixture.Realm);
        var code = await MakeAsync(
            fixture, new JsonObject { ["name"] = "spring", ["credits"] = 2, ["once"] = once, ["max_redemptions"] = 9 });
        List<HttpStatusCode> answers = [];
        List<string> users = [];
        foreach (var address in (string[])[first, second, "ben@example.com"])
        {
            users.Add(await fixture.AddUserAsync());
            realm.ChangeUser(users[^1], user => user with { Email = address, EmailVerified = true });
            answers.Add((await fixture.PostAsync(Redeem, fixture.TokenOf(users[^1]), Body(code))).Status);
            await fixture.HintsDoneAsync();
            if (users.Count > 1)
                continue;
            realm.RemoveUser(users[0]);
            await fixture.PostAsync($"api/v1/admin/users/{users[0]}/initialize", Admin(fixture), []);
        }

        Assert.Equal([HttpStatusCode.Created, HttpStatusCode.NotFound, HttpStatusCode.Created], answers);
        Assert.Equal(5m, await fixture.BalanceOfAsync(users[1]));
        Assert.Equal(2, await fixture.Database.ScalarAsync<int>("select sum(redeemed)::int from codes"));
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.PostAsync(Redeem, fixture.TokenOf(users[1]), Body(code))).Status);
    }

    [Fact]
    public async Task A_held_account_is_paid_when_it_is_released_and_a_rejected_place_goes_to_another_user()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Key);
        var realm = fixture.Keycloak.Realm(CreditsFixture.Realm);
        var code = await MakeAsync(fixture, new JsonObject { ["name"] = "spring", ["credits"] = 2, ["max_redemptions"] = 1 });
        var (ana, ben) = (await fixture.AddUserAsync(), await fixture.AddUserAsync());
        var token = fixture.TokenOf(ana);
        await DisableAsync(true);
        var held = await fixture.PostAsync(Redeem, token, Body(code));
        Assert.Equal((HttpStatusCode.Accepted, "active_account"), (held.Status, (string?)held.Json["missing"]![0]));
        await DisableAsync(false);
        Assert.Equal("purchase 5.000000 5.000000, bonus 2.000000 7.000000", await fixture.LedgerOfAsync(ana));

        var verified = await MakeAsync(fixture, new JsonObject { ["name"] = "verified", ["credits"] = 2, ["verified_email"] = true });
        Assert.Equal(HttpStatusCode.Accepted, (await fixture.PostAsync(Redeem, token, Body(verified))).Status);
        var order = new JsonObject { ["reason"] = "closed", ["confirm"] = 1 };
        Assert.Equal(1, (int)(await fixture.PostAsync($"{Codes}/verified/void", Admin(fixture), order)).Json["rejected"]!);
        realm.ChangeUser(ben, user => user with { Email = "ben@example.com", EmailVerified = true });
        Assert.Equal(HttpStatusCode.Created, (await fixture.PostAsync(Redeem, fixture.TokenOf(ben), Body(verified))).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.PostAsync(Redeem, token, Body(verified))).Status);

        async Task DisableAsync(bool disabled)
        {
            realm.ChangeUser(ana, user => user with { Enabled = !disabled });
            await fixture.PostAsync($"api/v1/admin/users/{ana}/initialize", Admin(fixture), []);
            await fixture.HintsDoneAsync();
        }
    }

    // The body without the id of its own trace.
    private static string Text(ApiReply answer)
    {
        var body = answer.Json.AsObject();
        Assert.True(body.Remove("trace_id"));
        return body.ToJsonString();
    }

    internal static JsonObject Body(string code) => new() { ["code"] = code };

    internal static string Admin(CreditsFixture fixture) => fixture.TokenOf("admin", CreditsFixture.Admin);

    /// <summary>The first code of a new campaign.</summary>
    internal static async Task<string> MakeAsync(CreditsFixture fixture, JsonObject campaign)
    {
        var made = await fixture.PostAsync(Codes, Admin(fixture), campaign);
        Assert.True(made.Status == HttpStatusCode.Created, made.Body);
        return (string)made.Json["codes"]![0]!["code"]!;
    }
}
