using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits;

public sealed class FirstReadTests(PostgresServer postgres)
{
    private const string CountsSql =
        """
        select concat_ws(' ', (select count(*) from user_credits), (select count(*) from credit_transactions),
            (select count(*) from audit_logs))
        """;

    [Fact]
    public async Task Whose_balance_is_read_before_anybody_told_of_them_has_an_account_at_once_and_Keycloak_is_asked_afterwards()
    {
        await using var scene = await CreditsScene.StartAsync(postgres);
        var user = new EmulatedUser(EmulatedUser.NewId(), "ana") { CreatedTimestamp = 1_700_000_000_000 };
        scene.Keycloak.Realm(CreditsScene.Realm).AddUser(user);
        var answer = await scene.GetAsync(CreditsScene.Balance, scene.TokenOf(user.Id));
        Assert.Equal(("5.000000", "trial", "active"), (answer["balance"], answer["tier"], answer["status"]));
        await scene.Database.AssertOpenedAsync(user.Id, HintSources.FirstRead);
        await Eventually.TrueAsync(
            () => scene.Database.ScalarAsync<bool>("select exists (select from keycloak_users where created_at is not null)"),
            "Keycloak was asked for the time of creation, which no token has");
    }

    [Fact]
    public async Task The_answer_carries_both_sets_of_names_and_amounts_as_text_with_six_decimals()
    {
        await using var scene = await CreditsScene.StartAsync(postgres);
        var answer = (await scene.GetAsync(CreditsScene.Balance, scene.TokenOf("u1"))).Json.AsObject();
        foreach (var (name, other) in ((string, string)[])[
            ("balance", "credits_remaining"), ("allocated_monthly", "credits_allocated"), ("reset_date", "last_reset"), ("last_updated", "updated_at")])
        {
            Assert.Equal((string)answer[name]!, (string)answer[other]!);
        }

        Assert.Equal("u1", (string)answer["user_id"]!);
        Assert.Equal(
            ("5.000000", "5.000000", "0.000000", "0.000000", "5.000000"),
            ((string)answer["balance"]!, (string)answer["allocated_monthly"]!, (string)answer["bonus_credits"]!, (string)answer["free_tier_used"]!,
                (string)answer["monthly_cap"]!));
        Assert.False((bool)answer["unlimited"]!);
        var created = DateTimeOffset.Parse((string)answer["created_at"]!, null);
        Assert.Equal(30.0, (DateTimeOffset.Parse((string)answer["last_reset"]!, null) - created).TotalDays, 0.001);
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$", (string)answer["created_at"]!);
        var llm = (await scene.GetAsync("api/v1/llm/credits", scene.TokenOf("u1"))).Json.ToJsonString();
        Assert.Equal("""{"tier":"trial","user_id":"u1","monthly_cap":"5.000000","credits_remaining":"5.000000"}""", llm);
    }

    [Fact]
    public async Task A_thousand_first_reads_of_one_person_at_once_grant_once_and_all_answer_the_same()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var scene = await StartForCrowdsAsync(database);
        var token = scene.TokenOf("u1");
        var answers = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(_ => scene.GetAsync(CreditsScene.Balance, token)));
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        Assert.Single(answers.Select(answer => answer.Body).Distinct(StringComparer.Ordinal));
        Assert.Equal("1 1 1", await database.ScalarAsync<string>(CountsSql));
    }

    [Fact]
    public async Task First_reads_of_a_thousand_people_at_once_are_all_answered()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var scene = await StartForCrowdsAsync(database);
        string[] people = [.. Enumerable.Range(0, 1_000).Select(number => $"person-{number}")];
        var answers = await Task.WhenAll(people.Select(id => scene.GetAsync(CreditsScene.Balance, scene.TokenOf(id))));
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        Assert.Equal(people.Order(StringComparer.Ordinal), answers.Select(answer => answer["user_id"]!).Order(StringComparer.Ordinal));
        Assert.Equal("1000 1000 1000", await database.ScalarAsync<string>(CountsSql));
    }

    [Fact]
    public async Task First_reads_on_a_pool_of_four_connections_wait_for_one_and_never_for_a_second()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var scene = await CreditsScene.StartAsync(
            postgres, ("Storage:ConnectionString", database.ConnectionString.Replace("Maximum Pool Size=40", "Maximum Pool Size=4", StringComparison.OrdinalIgnoreCase)));
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(number => scene.GetAsync(CreditsScene.Balance, scene.TokenOf($"p{number}"))));
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
    }

    [Fact]
    public async Task Where_first_reads_open_nothing_there_is_no_account()
    {
        await using var scene = await CreditsScene.StartAsync(postgres, ("Credits:FirstRead", "NotFound"));
        Assert.Equal(HttpStatusCode.NotFound, (await scene.GetAsync(CreditsScene.Balance, scene.TokenOf("u1"))).Status);
        Assert.Equal("0 0 0", await scene.Database.ScalarAsync<string>(CountsSql));
    }

    [Fact]
    public async Task A_client_s_own_user_gets_no_account_and_a_person_with_such_a_name_does()
    {
        await using var scene = await CreditsScene.StartAsync(postgres);
        var person = new EmulatedUser(EmulatedUser.NewId(), "service-account-evil");
        scene.Keycloak.Realm(CreditsScene.Realm).AddUser(person);
        var client = new EmulatedUser(EmulatedUser.NewId(), "service-account-shop") { ServiceAccountClientId = "shop" };
        scene.Keycloak.Realm(CreditsScene.Realm).AddUser(client);
        Assert.Equal(HttpStatusCode.OK, (await ReadAsync(scene, person)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await ReadAsync(scene, client)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await scene.GetAsync(CreditsScene.Balance, scene.TokenOf("lightweight-1"))).Status);
        Assert.Equal([person.Id], await scene.Database.QueryAsync<string>("select user_id from user_credits"));
    }

    [Fact]
    public async Task A_token_without_a_name_has_Keycloak_asked_and_waits_for_it()
    {
        await using var scene = await CreditsScene.StartAsync(postgres);
        var person = new EmulatedUser(EmulatedUser.NewId(), "ana");
        scene.Keycloak.Realm(CreditsScene.Realm).AddUser(person);
        var claims = scene.Claims(person.Id);
        claims.Remove("preferred_username");
        Assert.Equal(HttpStatusCode.OK, (await scene.GetAsync(CreditsScene.Balance, scene.Sign(claims))).Status);
    }

    [Fact]
    public async Task A_service_s_first_read_of_somebody_asks_Keycloak_whether_there_is_such_a_person()
    {
        await using var scene = await CreditsScene.StartAsync(postgres);
        var person = new EmulatedUser(EmulatedUser.NewId(), "ana");
        scene.Keycloak.Realm(CreditsScene.Realm).AddUser(person);
        var service = scene.TokenOf("s1", CreditsScene.Service);
        Assert.Equal("5.000000", (await scene.GetAsync($"{CreditsScene.Balance}?user_id={person.Id}", service))["balance"]);
        Assert.Equal(HttpStatusCode.NotFound, (await scene.GetAsync($"{CreditsScene.Balance}?user_id=nobody", service)).Status);
        Assert.Equal([person.Id], await scene.Database.QueryAsync<string>("select user_id from user_credits"));
    }

    [Theory]
    [InlineData(CreditsScene.Balance, HttpStatusCode.NotFound)]
    [InlineData("authz", HttpStatusCode.Forbidden)]
    public async Task Who_gets_no_account_by_rule_costs_Keycloak_no_question_at_each_request(string path, HttpStatusCode status)
    {
        await using var scene = await CreditsScene.StartAsync(postgres, ("Provisioning:Eligibility:EmailVerified", "true"));
        var person = new EmulatedUser(EmulatedUser.NewId(), "ana") { Email = "ana@example.com" };
        scene.Keycloak.Realm(CreditsScene.Realm).AddUser(person);
        var token = scene.TokenOf(person.Id);
        Assert.Equal(status, (await scene.GetAsync(path, token)).Status);
        var before = scene.Keycloak.Requests[CreditsScene.UserRead];
        for (var number = 0; number < 20; number++)
            Assert.Equal(status, (await scene.GetAsync(path, token)).Status);
        // What Keycloak said is forgotten after some seconds, which twenty requests may take.
        Assert.InRange(scene.Keycloak.Requests[CreditsScene.UserRead] - before, 0, 5);
    }

    [Fact]
    public async Task Whose_first_read_the_database_refuses_is_named_in_the_log_with_the_reason()
    {
        await using var scene = await CreditsScene.StartAsync(postgres);
        await scene.Database.ExecuteAsync("alter table user_credits add constraint no_anas check (user_id <> 'ana')");
        Assert.Equal(HttpStatusCode.NotFound, (await scene.GetAsync(CreditsScene.Balance, scene.TokenOf("ana"))).Status);
        Assert.Contains(scene.Bridge.Log.All, line => line.Contains(" 830 ", StringComparison.Ordinal)
            && line.Contains("ana", StringComparison.Ordinal) && line.Contains("no_anas", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_account_that_is_held_or_closed_is_shown_with_its_status()
    {
        await using var scene = await CreditsScene.StartAsync(postgres);
        var id = await scene.PersonAsync();
        foreach (var status in (string[])["held", "closed"])
        {
            await scene.Database.ExecuteAsync("update user_credits set status = @Status, status_reason = 'fraud'", new { Status = status });
            // Another's write is heard of a moment behind its commit.
            await Eventually.TrueAsync(
                async () => (await scene.GetAsync(CreditsScene.Balance, scene.TokenOf(id)))["status"] == status, $"it is shown as {status}");
        }
    }

    [Fact]
    public async Task Nobody_sees_another_person_s_account()
    {
        await using var scene = await CreditsScene.StartAsync(postgres);
        var (ana, stranger) = (await scene.PersonAsync(), await scene.PersonAsync(CreditsScene.Other));
        var url = $"{CreditsScene.Balance}?user_id={ana}";
        Assert.Equal(HttpStatusCode.Forbidden, (await scene.GetAsync(url, scene.TokenOf("u2"))).Status);
        Assert.Equal(HttpStatusCode.OK, (await scene.GetAsync(url, scene.TokenOf("a1", CreditsScene.Admin))).Status);

        var admin = scene.TokenOf("a2", CreditsScene.Other, [CreditsScene.Admin]);
        Assert.Equal(HttpStatusCode.NotFound, (await scene.GetAsync(url, admin)).Status);
        var body = new JsonObject { ["user_id"] = ana, ["amount"] = 1, ["source"] = "theft", ["reason"] = "theft", ["service"] = "theft" };
        foreach (var path in (string[])[CreditsScene.Allocate, CreditsScene.Refund, CreditsScene.Deduct])
            Assert.Equal(HttpStatusCode.NotFound, (await scene.PostAsync(path, admin, body)).Status);
        // Somebody of the other realm who was given the same id does not get the account either.
        Assert.Equal(HttpStatusCode.NotFound, (await scene.GetAsync(CreditsScene.Balance, scene.TokenOf(ana, CreditsScene.Other, []))).Status);
        Assert.Equal(5m, await scene.BalanceOfAsync(ana));
        Assert.Equal(5m, await scene.BalanceOfAsync(stranger));
    }

    // A crowd waits longer for a connection than one caller may have to, and the realm's keys are known before it comes.
    private async Task<CreditsScene> StartForCrowdsAsync(TestDatabase database)
    {
        var scene = await CreditsScene.StartAsync(
            postgres, ("Storage:ConnectionString", $"{database.ConnectionString};Timeout=60;Command Timeout=60"));
        await Eventually.TrueAsync(
            async () => (await scene.GetAsync("api/v1/credits/tiers", scene.TokenOf("u1"))).Status == HttpStatusCode.OK, "tokens are understood");
        return scene;
    }

    private static Task<ApiReply> ReadAsync(CreditsScene scene, EmulatedUser user) =>
        scene.GetAsync(CreditsScene.Balance, scene.Sign(scene.Claims(user.Id, username: user.Username)));
}
