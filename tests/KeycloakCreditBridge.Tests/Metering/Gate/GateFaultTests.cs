using System.Net;
using System.Text.Json.Nodes;
using Dapper;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Metering.MeteringFixture;

namespace KeycloakCreditBridge.Tests.Metering.Gate;

public sealed class GateFaultTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(404)]
    [InlineData(400)]
    [InlineData(302)]
    public async Task An_answer_that_is_not_from_Keycloak_marks_no_user_as_unknown(int status)
    {
        await using var fixture = await StartAsync(postgres);
        var id = await fixture.Keycloak.CreateAsync("ana");
        fixture.Keycloak.Server.Faults.Fail("*/users/*", 1, status);

        Assert.Equal("NONE", (string?)(await fixture.AskAsync(id))["action"]);
        await Eventually.TrueAsync(async () => await fixture.BalanceAsync(id) == 5m, "the hint that the gate left brought the account");
        Assert.Equal("NONE", (string?)(await fixture.AskAsync(id))["action"]);
    }

    [Fact]
    public async Task A_realm_that_answers_nonsense_keeps_no_other_realm_from_being_asked()
    {
        await using var fixture = await WithTwoRealmsAsync(("Metering:Gate:Undecided", "Refuse"));
        var id = EmulatedUser.NewId();
        fixture.Keycloak.Server.Realm("other").AddUser(new EmulatedUser(id, "ana"));
        fixture.Keycloak.Server.Faults.Fail($"*/realms/{EmulatorFixture.Realm}/users/*", 1_000, 404);

        Assert.Equal("NONE", (string?)(await fixture.AskAsync(id))["action"]);
        Assert.Equal(["other"], await fixture.Database.QueryAsync<string>("select realm from user_credits"));
    }

    [Fact]
    public async Task A_realm_that_does_not_answer_keeps_no_user_of_another_realm_waiting()
    {
        await using var fixture = await WithTwoRealmsAsync(("Metering:Gate:Undecided", "Refuse"), ("Metering:Gate:Budget", "00:00:05"));
        var id = EmulatedUser.NewId();
        fixture.Keycloak.Server.Realm("other").AddUser(new EmulatedUser(id, "ana"));
        fixture.Keycloak.Server.Faults.Hang($"*/realms/{EmulatorFixture.Realm}/users/*", 1_000);

        Assert.Equal("NONE", (string?)(await fixture.AskAsync(id))["action"]);
    }

    [Fact]
    public async Task An_undecided_user_is_logged_once_and_remembered_for_a_moment()
    {
        await using var fixture = await WithTwoRealmsAsync(("Metering:Gate:Undecided", "Refuse"));
        var id = EmulatedUser.NewId();
        fixture.Keycloak.Server.Faults.Fail("*/users/*", 1_000, 404);

        foreach (var _ in Enumerable.Range(0, 10))
            Assert.Equal("BLOCKED", (string?)(await fixture.AskAsync(id))["action"]);

        // A slow machine may need longer than the moment lasts.
        Assert.InRange(fixture.Bridge.Log.EventIds.Count(logged => logged == 855), 1, 5);
        Assert.True(fixture.Bridge.Log.Says("2 of 2 realms did not answer"));
        Assert.Equal(2, await fixture.Database.ScalarAsync<int>("select count(*)::int from user_hints"));
    }

    [Fact]
    public async Task Users_of_all_realms_are_allowed_and_pay_for_what_they_use()
    {
        await using var fixture = await WithTwoRealmsAsync();
        var (ana, bob) = (await fixture.AddUserAsync("ana"), EmulatedUser.NewId());
        fixture.Keycloak.Server.Realm("other").AddUser(new EmulatedUser(bob, "bob"));

        await fixture.ReportAsync(Record("r1", bob, 1m), Record("r2", ana, 2m));
        Assert.Equal("NONE", (string?)(await fixture.AskAsync(bob))["action"]);
        Assert.Equal((3m, 4m), (await fixture.BalanceAsync(ana), await fixture.BalanceAsync(bob)));
        Assert.Equal(
            [$"{EmulatorFixture.Realm} {ana}", $"other {bob}"],
            await fixture.Database.QueryAsync<string>("select realm || ' ' || user_id from user_credits order by 1"));
    }

    [Fact]
    public async Task A_user_excluded_by_rule_is_not_read_from_Keycloak_at_each_call()
    {
        await using var fixture = await StartAsync(
            postgres, ("Provisioning:Eligibility:EmailVerified", "true"), ("Metering:Gate:Undecided", "Allow"));
        var id = await fixture.Keycloak.CreateAsync("ana");
        Assert.Equal("BLOCKED", (string?)(await fixture.AskAsync(id))["action"]);
        await fixture.AssertRarelyReadFromKeycloakAsync(id);
    }

    [Fact]
    public async Task Where_first_reads_open_nothing_the_gate_opens_nothing_either()
    {
        await using var fixture = await StartAsync(postgres, ("Credits:FirstRead", "NotFound"));
        var id = await fixture.Keycloak.CreateAsync("ana");
        Assert.StartsWith("You have no credit account.", (string?)(await fixture.AskAsync(id))["blocked_reason"], StringComparison.Ordinal);
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>(
            "select (select count(*) from user_credits)::int + (select count(*) from user_hints)::int"));
    }

    [Fact]
    public async Task A_locked_account_row_does_not_block_the_caller()
    {
        await using var fixture = await StartAsync(postgres, ("Metering:Gate:Budget", "00:00:03"));
        var id = await fixture.Keycloak.CreateAsync("ana");
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using (var held = await connection.BeginTransactionAsync(Token))
        {
            await connection.ExecuteAsync("lock table keycloak_users in exclusive mode");
            var asked = fixture.AskAsync(id);
            Assert.Same(asked, await Task.WhenAny(asked, Task.Delay(TimeSpan.FromMinutes(1), Token)));
            Assert.Equal("NONE", (string?)(await asked)["action"]);
            await held.RollbackAsync(Token);
        }

        await Eventually.TrueAsync(async () => await fixture.BalanceAsync(id) == 5m, "what was begun went on behind the answer");
    }

    [Fact]
    public async Task An_unreadable_database_does_not_block_the_caller()
    {
        await using var fixture = await StartAsync(postgres, ("Metering:Gate:Budget", "00:00:03"), ("Metering:Gate:Undecided", "Refuse"));
        var id = await fixture.AddUserAsync("ana");
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using var held = await connection.BeginTransactionAsync(Token);
        await connection.ExecuteAsync("lock table user_credits in access exclusive mode");
        var asked = fixture.AskAsync(id);
        Assert.Same(asked, await Task.WhenAny(asked, Task.Delay(TimeSpan.FromMinutes(1), Token)));
        Assert.StartsWith("Your credits cannot be checked right now", (string?)(await asked)["blocked_reason"], StringComparison.Ordinal);
        await held.RollbackAsync(Token);
    }

    [Fact]
    public async Task While_the_database_is_away_the_gate_decides_as_configured_and_afterwards_by_the_balance()
    {
        await using var server = await PostgresFixture.StartOwnAsync();
        await using var keycloak = await EmulatorFixture.StartAsync();
        var settings = BridgeFixture.Settings(await server.CreateDatabaseAsync("bridge", Token), keycloak.Server.Url);
        settings["Metering:ApiKeys:0"] = Key;
        settings["Metering:Gate:Budget"] = "00:00:05";
        settings["Metering:Gate:Undecided"] = "Refuse";
        await using var bridge = await BridgeFixture.Build(settings).StartAsync();
        using var http = new HttpClient { BaseAddress = bridge.Url };
        http.DefaultRequestHeaders.Add("x-api-key", Key);
        var id = await keycloak.CreateAsync("ana");
        await Eventually.TrueAsync(async () => await AskAsync() == "NONE", "the schema is there and ana is let through");

        await server.StopAsync(immediate: true);
        Assert.Equal("BLOCKED", await AskAsync());
        await server.StartAgainAsync(Token);
        await Eventually.TrueAsync(async () => await AskAsync() == "NONE", "the balance counts again");

        async Task<string?> AskAsync()
        {
            using var content = new StringContent(
                new JsonObject { ["request_data"] = new JsonObject { ["user_api_key_user_id"] = id } }.ToJsonString());
            using var answer = await http.PostAsync(new Uri("beta/litellm_basic_guardrail_api", UriKind.Relative), content, Token);
            return (string?)JsonNode.Parse(await answer.Content.ReadAsStringAsync(Token))!["action"];
        }
    }

    [Fact]
    public async Task Prompts_and_tools_may_be_nested_deeply_and_hold_NaN_and_Infinity()
    {
        await using var fixture = await StartAsync(postgres);
        var id = await fixture.AddUserAsync("ana");
        foreach (var tools in (string[])["[NaN,-Infinity,{\"a\":Infinity}]", $"{new string('[', 300)}{new string(']', 300)}"])
        {
            var odd = tools.Contains("NaN", StringComparison.Ordinal) ? "\"a\":NaN," : "";
            var (status, answer) = await fixture.PostAsync(
                "beta/litellm_basic_guardrail_api",
                $$$"""{"texts":["NaN \" Infinity"],"tools":{{{tools}}},"request_data":{{{{odd}}}"user_api_key_user_id":"{{{id}}}"}}""");
            Assert.Equal((HttpStatusCode.OK, """{"action":"NONE"}"""), (status, answer));
        }
    }

    [Fact]
    public async Task Bodies_are_as_long_as_configured_beyond_the_server_s_own_limit_and_none_are_compressed()
    {
        await using var fixture = await StartAsync(postgres, ("Metering:MaxBodyBytes", "67108864"));
        var id = await fixture.AddUserAsync("ana");
        var filling = new string(' ', 31_000_000);
        var (status, answer) = await fixture.PostAsync(
            "beta/litellm_basic_guardrail_api", $$"""{"request_data":{"user_api_key_user_id":"{{id}}"}{{filling}}}""");
        Assert.Equal((HttpStatusCode.OK, """{"action":"NONE"}"""), (status, answer));
        Assert.Equal(
            HttpStatusCode.OK, (await fixture.PostAsync("usage/litellm", $"[{Record("r1", id, 1m).ToJsonString()}{filling}]")).Status);
        await fixture.ProcessedAsync();
        Assert.Equal(4m, await fixture.BalanceAsync(id));

        using var http = new HttpClient();
        foreach (var path in (string[])["beta/litellm_basic_guardrail_api", "usage/litellm"])
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(fixture.Bridge.Url, path));
            request.Headers.Add("x-api-key", Key);
            request.Content = new StringContent("[]");
            request.Content.Headers.ContentEncoding.Add("gzip");
            using var refused = await http.SendAsync(request, Token);
            Assert.Equal(HttpStatusCode.UnsupportedMediaType, refused.StatusCode);
        }
    }

    private async Task<MeteringFixture> WithTwoRealmsAsync(params (string Key, string? Value)[] more)
    {
        var fixture = await StartAsync(postgres, [("Keycloak:Realms:1:Name", "other"), .. more]);
        await fixture.Keycloak.ImportAsync("other", new JsonObject
        {
            ["clients"] = new JsonArray(EmulatorFixture.Client("credit-bridge")),
            ["users"] = new JsonArray(EmulatorFixture.ServiceAccount("credit-bridge", "view-events", "view-users")),
        });
        return fixture;
    }
}
