using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Lookup;

public sealed class FirstReadTests(PostgresFixture postgres)
{
    private const string CountsSql =
        """
        select concat_ws(' ', (select count(*) from user_credits), (select count(*) from credit_transactions),
            (select count(*) from audit_logs))
        """;

    [Fact]
    public async Task A_first_read_opens_the_account_at_once_and_leaves_a_hint_that_asks_Keycloak()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var user = new EmulatedUser(EmulatedUser.NewId(), "ana") { CreatedTimestamp = 1_700_000_000_000 };
        fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(user);
        var answer = await fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf(user.Id));
        Assert.Equal(("5.000000", "trial", "active"), (answer["balance"], answer["tier"], answer["status"]));
        await fixture.Database.AssertOpenedAsync(user.Id, HintSources.FirstRead);
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>("select exists (select from keycloak_users where created_at is not null)"),
            "Keycloak was asked for the time of creation, which no token has");
    }

    [Fact]
    public async Task The_answer_carries_both_sets_of_names_and_amounts_as_text_with_six_decimals()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var answer = (await fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf("u1"))).Json.AsObject();
        foreach (var (name, other) in ((string, string)[])[
            ("balance", "credits_remaining"), ("allocated_monthly", "credits_allocated"), ("reset_date", "last_reset"),
                ("last_updated", "updated_at")])
        {
            Assert.Equal((string)answer[name]!, (string)answer[other]!);
        }

        Assert.Equal("u1", (string)answer["user_id"]!);
        Assert.Equal(
            ("5.000000", "5.000000", "0.000000", "0.000000", "5.000000"),
            ((string)answer["balance"]!, (string)answer["allocated_monthly"]!, (string)answer["bonus_credits"]!,
            (string)answer["free_tier_used"]!,
                (string)answer["monthly_cap"]!));
        Assert.False((bool)answer["unlimited"]!);
        var created = DateTimeOffset.Parse((string)answer["created_at"]!, null);
        Assert.Equal(30.0, (DateTimeOffset.Parse((string)answer["last_reset"]!, null) - created).TotalDays, 0.001);
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$", (string)answer["created_at"]!);
        var llm = (await fixture.GetAsync("api/v1/llm/credits", fixture.TokenOf("u1"))).Json.ToJsonString();
        Assert.Equal("""{"tier":"trial","user_id":"u1","monthly_cap":"5.000000","credits_remaining":"5.000000"}""", llm);
    }

    [Fact]
    public async Task A_thousand_first_reads_of_one_user_at_once_grant_once_and_answer_the_same()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var fixture = await StartForCrowdsAsync(database);
        var token = fixture.TokenOf("u1");
        var answers = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(_ => fixture.GetAsync(CreditsFixture.Balance, token)));
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        Assert.Single(answers.Select(answer => answer.Body).Distinct(StringComparer.Ordinal));
        Assert.Equal("1 1 1", await database.ScalarAsync<string>(CountsSql));
    }

    [Fact]
    public async Task First_reads_of_a_thousand_users_at_once_are_all_answered()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var fixture = await StartForCrowdsAsync(database);
        string[] ids = [.. Enumerable.Range(0, 1_000).Select(number => $"user-{number}")];
        var answers = await Task.WhenAll(ids.Select(id => fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf(id))));
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        Assert.Equal(ids.Order(StringComparer.Ordinal), answers.Select(answer => answer["user_id"]!).Order(StringComparer.Ordinal));
        Assert.Equal("1000 1000 1000", await database.ScalarAsync<string>(CountsSql));
    }

    [Fact]
    public async Task First_reads_on_a_pool_of_four_connections_wait_for_one_and_never_for_a_second()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var fixture = await CreditsFixture.StartAsync(
            postgres, ("Storage:ConnectionString", database.ConnectionString.Replace("Maximum Pool Size=40", "Maximum Pool Size=4",
                StringComparison.OrdinalIgnoreCase)));
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(number => fixture.GetAsync(CreditsFixture.Balance,
            fixture.TokenOf($"p{number}"))));
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
    }

    [Fact]
    public async Task With_FirstRead_NotFound_a_first_read_opens_no_account()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, ("Credits:FirstRead", "NotFound"));
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf("u1"))).Status);
        Assert.Equal("0 0 0", await fixture.Database.ScalarAsync<string>(CountsSql));
    }

    [Fact]
    public async Task A_service_account_gets_no_account_and_a_user_with_such_a_name_does()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var user = new EmulatedUser(EmulatedUser.NewId(), "service-account-evil");
        fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(user);
        var client = new EmulatedUser(EmulatedUser.NewId(), "service-account-shop") { ServiceAccountClientId = "shop" };
        fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(client);
        Assert.Equal(HttpStatusCode.OK, (await ReadAsync(fixture, user)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await ReadAsync(fixture, client)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf("lightweight-1"))).Status);
        Assert.Equal([user.Id], await fixture.Database.QueryAsync<string>("select user_id from user_credits"));
    }

    [Fact]
    public async Task A_token_without_a_name_has_Keycloak_asked_and_waits_for_it()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var user = new EmulatedUser(EmulatedUser.NewId(), "ana");
        fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(user);
        var claims = fixture.Claims(user.Id);
        claims.Remove("preferred_username");
        Assert.Equal(HttpStatusCode.OK, (await fixture.GetAsync(CreditsFixture.Balance, fixture.Sign(claims))).Status);
    }

    [Fact]
    public async Task A_service_s_first_read_of_a_user_asks_Keycloak_whether_the_user_exists()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var user = new EmulatedUser(EmulatedUser.NewId(), "ana");
        fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(user);
        var service = fixture.TokenOf("s1", CreditsFixture.Service);
        Assert.Equal("5.000000", (await fixture.GetAsync($"{CreditsFixture.Balance}?user_id={user.Id}", service))["balance"]);
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.GetAsync($"{CreditsFixture.Balance}?user_id=unknown", service)).Status);
        Assert.Equal([user.Id], await fixture.Database.QueryAsync<string>("select user_id from user_credits"));
    }

    [Theory]
    [InlineData(CreditsFixture.Balance, HttpStatusCode.NotFound)]
    [InlineData("authz", HttpStatusCode.Forbidden)]
    public async Task A_user_excluded_by_rule_does_not_cost_Keycloak_a_request_each_time(string path, HttpStatusCode status)
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, ("Provisioning:Eligibility:EmailVerified", "true"));
        var user = new EmulatedUser(EmulatedUser.NewId(), "ana") { Email = "ana@example.com" };
        fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(user);
        var token = fixture.TokenOf(user.Id);
        Assert.Equal(status, (await fixture.GetAsync(path, token)).Status);
        var before = fixture.Keycloak.Requests[CreditsFixture.UserRead];
        for (var number = 0; number < 20; number++)
            Assert.Equal(status, (await fixture.GetAsync(path, token)).Status);
        // What Keycloak said is forgotten after some seconds, which twenty requests may take.
        Assert.InRange(fixture.Keycloak.Requests[CreditsFixture.UserRead] - before, 0, 5);
    }

    [Fact]
    public async Task A_first_read_that_the_database_refuses_is_logged_with_user_and_reason()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        await fixture.Database.ExecuteAsync("alter table user_credits add constraint no_anas check (user_id <> 'ana')");
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf("ana"))).Status);
        Assert.Contains(fixture.Bridge.Log.All, line => line.Contains(" 830 ", StringComparison.Ordinal)
            && line.Contains("ana", StringComparison.Ordinal) && line.Contains("no_anas", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_account_that_is_held_or_closed_is_shown_with_its_status()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var id = await fixture.AddUserAsync();
        foreach (var status in (string[])["held", "closed"])
        {
            await fixture.Database.ExecuteAsync(
                "update user_credits set status = @Status, status_reason = 'fraud'", new { Status = status });
            // Another's write is heard of a moment behind its commit.
            await Eventually.TrueAsync(
                async () => (await fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf(id)))["status"] == status,
                    $"it is shown as {status}");
        }
    }

    [Fact]
    public async Task No_user_sees_the_account_of_another_user()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var (ana, other) = (await fixture.AddUserAsync(), await fixture.AddUserAsync(CreditsFixture.Other));
        var url = $"{CreditsFixture.Balance}?user_id={ana}";
        Assert.Equal(HttpStatusCode.Forbidden, (await fixture.GetAsync(url, fixture.TokenOf("u2"))).Status);
        Assert.Equal(HttpStatusCode.OK, (await fixture.GetAsync(url, fixture.TokenOf("a1", CreditsFixture.Admin))).Status);

        var admin = fixture.TokenOf("a2", CreditsFixture.Other, [CreditsFixture.Admin]);
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.GetAsync(url, admin)).Status);
        var body = new JsonObject { ["user_id"] = ana, ["amount"] = 1, ["source"] = "theft", ["reason"] = "theft", ["service"] = "theft" };
        foreach (var path in (string[])[CreditsFixture.Allocate, CreditsFixture.Refund, CreditsFixture.Deduct])
            Assert.Equal(HttpStatusCode.NotFound, (await fixture.PostAsync(path, admin, body)).Status);
        // A user of the other realm with the same id does not get the account either.
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf(ana, CreditsFixture.Other,
            []))).Status);
        Assert.Equal(5m, await fixture.BalanceOfAsync(ana));
        Assert.Equal(5m, await fixture.BalanceOfAsync(other));
    }

    // A crowd waits longer for a connection than one caller may have to, and the realm's keys are known before it comes.
    private async Task<CreditsFixture> StartForCrowdsAsync(TestDatabase database)
    {
        var fixture = await CreditsFixture.StartAsync(
            postgres, ("Storage:ConnectionString", $"{database.ConnectionString};Timeout=60;Command Timeout=60"));
        await Eventually.TrueAsync(
            async () => (await fixture.GetAsync("api/v1/credits/tiers", fixture.TokenOf("u1"))).Status == HttpStatusCode.OK,
                "tokens are understood");
        return fixture;
    }

    private static Task<ApiReply> ReadAsync(CreditsFixture fixture, EmulatedUser user) =>
        fixture.GetAsync(CreditsFixture.Balance, fixture.Sign(fixture.Claims(user.Id, username: user.Username)));
}
