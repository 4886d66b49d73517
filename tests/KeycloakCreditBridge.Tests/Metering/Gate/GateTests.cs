using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Credits.Lookup;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using static KeycloakCreditBridge.Tests.Metering.MeteringFixture;

namespace KeycloakCreditBridge.Tests.Metering.Gate;

public sealed class GateTests(PostgresFixture postgres)
{
    [Fact]
    public async Task A_new_user_is_provisioned_while_the_gateway_waits_and_let_through()
    {
        await using var fixture = await StartAsync(postgres);
        var id = await fixture.Keycloak.CreateAsync("ana");

        Assert.Equal("NONE", (string?)(await fixture.AskAsync(id))["action"]);
        Assert.Equal(5m, await fixture.BalanceAsync(id));
        Assert.Equal(["gateway"], await fixture.Database.QueryAsync<string>("select source from user_credits"));
    }

    [Fact]
    public async Task Many_first_calls_of_one_user_grant_once_and_all_go_through()
    {
        await using var fixture = await StartAsync(postgres);
        var id = await fixture.Keycloak.CreateAsync("ana");

        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => fixture.AskAsync(id)));

        Assert.All(answers, answer => Assert.Equal("NONE", (string?)answer["action"]));
        Assert.Equal(5m, await fixture.BalanceAsync(id));
    }

    [Theory]
    [InlineData("set credits_remaining = 0", "You have no credits left. Your period ends on ")]
    [InlineData("set credits_remaining = -0.5", "You have no credits left. Your period ends on ")]
    [InlineData("set status = 'held'", "Your credit account is on hold.")]
    [InlineData("set status = 'closed'", "Your credit account is closed.")]
    public async Task A_refused_user_is_told_why(string change, string reason)
    {
        await using var fixture = await StartAsync(postgres);
        var id = await fixture.AddUserAsync("ana");
        await fixture.Database.ExecuteAsync($"update user_credits {change}, source = null");

        var answer = await fixture.AskAsync(id);

        Assert.Equal("BLOCKED", (string?)answer["action"]);
        Assert.StartsWith(reason, (string?)answer["blocked_reason"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unlimited_account_is_allowed_at_any_balance()
    {
        await using var fixture = await StartAsync(postgres, ("Provisioning:Tier", "enterprise"));
        var id = await fixture.AddUserAsync("ana");
        await fixture.ReportAsync(Record("r1", id, 3m));
        Assert.Equal("NONE", (string?)(await fixture.AskAsync(id))["action"]);
    }

    [Fact]
    public async Task The_former_owner_of_an_inherited_account_spends_nothing_of_it()
    {
        await using var fixture = await StartAsync(postgres, ("Provisioning:AccountId", "{email}"));
        JsonObject Ana() => new() { ["enabled"] = true, ["email"] = "ana@example.com", ["emailVerified"] = true };
        var before = await fixture.Keycloak.CreateAsync("ana", Ana());
        await fixture.AskAsync(before);
        fixture.Keycloak.Server.Realm(EmulatorFixture.Realm).RemoveUser(before);
        await fixture.Bridge.Services.GetRequiredService<HintWriter>().WriteAsync(
            [new UserHint(EmulatorFixture.Realm, before, HintKind.Deleted, "USER-DELETE", HintSources.Poll)],
            TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(
            async () => await fixture.Database.ScalarAsync<string>("select status from user_credits") == "closed", "the account is closed");
        var after = await fixture.Keycloak.CreateAsync("ana", Ana());
        await fixture.AskAsync(after);

        Assert.Equal("BLOCKED", (string?)(await fixture.AskAsync(before))["action"]);
        foreach (var record in (JsonObject[])[Record("r1", before, 1m), Record("r2", after, 2m)])
            Assert.Equal(HttpStatusCode.OK, (await fixture.PostAsync("usage/litellm", record.ToJsonString())).Status);
        await Eventually.TrueAsync(async () => await fixture.BalanceAsync("ana@example.com") == 3m, "the one whose account it is pays");
    }

    [Theory]
    [InlineData("unknown", "You have no credit account.")]
    [InlineData("", "The call names no user")]
    [InlineData(null, "The call names no user")]
    public async Task An_unknown_user_is_refused_unless_configured_otherwise(string? userId, string reason)
    {
        await using var fixture = await StartAsync(postgres);
        Assert.StartsWith(reason, (string?)(await fixture.AskAsync(userId))["blocked_reason"], StringComparison.Ordinal);

        await using var lenient = await StartAsync(
            postgres, ("Metering:Gate:WithoutUser", "Allow"), ("Metering:Gate:UnknownUser", "Allow"));
        Assert.Equal("NONE", (string?)(await lenient.AskAsync(userId))["action"]);
    }

    [Fact]
    public async Task While_Keycloak_does_not_answer_a_new_user_goes_through_and_is_provisioned_later()
    {
        await using var fixture = await StartAsync(postgres, ("Metering:Gate:Budget", "00:00:05"));
        var id = await fixture.Keycloak.CreateAsync("ana");
        fixture.Keycloak.Server.Faults.Hang("*/users/*", 1);

        Assert.Equal("NONE", (string?)(await fixture.AskAsync(id))["action"]);
        await Eventually.TrueAsync(async () => await fixture.BalanceAsync(id) == 5m, "the hint that the gate left brought the account");
    }

    [Fact]
    public async Task While_Keycloak_does_not_answer_a_strict_gate_refuses_new_users_and_allows_known_ones()
    {
        await using var fixture = await StartAsync(postgres, ("Metering:Gate:Undecided", "Refuse"));
        var known = await fixture.AddUserAsync("ana");
        fixture.Keycloak.Server.Faults.Fail("*", 1_000, 500);

        Assert.Equal("NONE", (string?)(await fixture.AskAsync(known))["action"]);
        Assert.Equal("BLOCKED", (string?)(await fixture.AskAsync("unknown"))["action"]);
    }

    [Fact]
    public async Task An_unknown_user_is_not_read_from_Keycloak_at_each_call_and_is_allowed_once_created()
    {
        await using var fixture = await StartAsync(postgres);
        var id = EmulatedUser.NewId();
        Assert.Equal("BLOCKED", (string?)(await fixture.AskAsync(id))["action"]);
        await fixture.AssertRarelyReadFromKeycloakAsync(id);

        fixture.Keycloak.Server.Realm(EmulatorFixture.Realm).AddUser(new EmulatedUser(id, "ana"));
        await fixture.Bridge.Services.GetRequiredService<HintWriter>().WriteAsync(
            [new UserHint(EmulatorFixture.Realm, id, HintKind.Changed, "REGISTER", HintSources.Webhook)],
            TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(async () => (string?)(await fixture.AskAsync(id))["action"] == "NONE", "the account is seen at once");
    }

    [Fact]
    public void The_negative_cache_expires_after_seconds_and_stays_bounded()
    {
        var clock = new ManualTimeProvider();
        var unknown = new NegativeCache(clock);
        unknown.Add("ana");
        Assert.True(unknown.Contains("ana"));
        clock.Advance(NegativeCache.Lifetime);
        Assert.False(unknown.Contains("ana"));
        unknown.Add("ana");
        for (var number = 0; number < 20_000; number++)
            unknown.Add($"p{number}");
        Assert.False(unknown.Contains("ana"));
    }

    [Theory]
    [InlineData(null, "x-api-key")]
    [InlineData("", "x-api-key")]
    [InlineData("another-key-0123456789", "x-api-key")]
    [InlineData("Basic " + Key, "Authorization")]
    public async Task A_call_without_the_key_is_refused(string? key, string header)
    {
        await using var fixture = await StartAsync(postgres);
        foreach (var path in (string[])["beta/litellm_basic_guardrail_api", "usage/litellm"])
            Assert.Equal(HttpStatusCode.Unauthorized, (await fixture.PostAsync(path, "[]", key, header)).Status);
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select count(*)::int from usage_batches"));
    }

    [Fact]
    public async Task Without_a_configured_key_gate_and_meter_are_closed()
    {
        await using var fixture = await StartAsync(postgres);
        await using var bridge = await BridgeFixture.Build(fixture.Database, fixture.Keycloak).StartAsync();
        using var http = new HttpClient();
        using var body = new StringContent("[]");
        using var answer = await http.PostAsync(new Uri(bridge.Url, "usage/litellm"), body, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Contains(
            "Metering:ApiKeys", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"request_data\":")]
    public async Task A_malformed_body_is_a_bad_request(string body)
    {
        await using var fixture = await StartAsync(postgres);
        Assert.Equal(HttpStatusCode.BadRequest, (await fixture.PostAsync("beta/litellm_basic_guardrail_api", body)).Status);
    }

    [Fact]
    public async Task The_documented_request_is_understood()
    {
        await using var fixture = await StartAsync(postgres);
        var id = await fixture.AddUserAsync("ana");
        var (status, answer) = await fixture.PostAsync(
            "beta/litellm_basic_guardrail_api",
            $$$"""
            {"input_type": "request", "litellm_call_id": "c-41", "litellm_trace_id": "t-7", "model": "chat-small", "texts": ["Hi"],
             "structured_messages": [{"role": "user", "content": "Hi"}], "images": null, "tools": null, "tool_calls": null,
             "request_data": {"user_api_key_user_id": "{{{id}}}", "user_api_key_user_email": "ana@example.org", "user_api_key_hash": "a91c",
              "user_api_key_team_id": "t1", "user_api_key_end_user_id": "c9"},
             "request_headers": {"user-agent": "curl", "authorization": "[present]"}, "litellm_version": "1.96.2",
             "additional_provider_specific_params": {"pool": "default"}}
            """);
        Assert.Equal((HttpStatusCode.OK, """{"action":"NONE"}"""), (status, answer));
    }
}
