using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Metering.MeteringFixture;

namespace KeycloakCreditBridge.Tests.Metering.Reports;

/// <summary>What is charged for usage is what the API shows of it.</summary>
public sealed class ChargedUsageTests(PostgresFixture postgres)
{
    private const string Meter = "usage/litellm";

    [Fact]
    public async Task Sums_of_usage_are_what_was_charged_and_free_answers_are_counted_as_free()
    {
        await using var fixture = await CreditsFixture.StartAsync(
            postgres, ("Metering:ApiKeys:0", Key), ("Metering:Prices:Markups:trial", "2"), ("Metering:Prices:Models:own", "500"));
        var id = await fixture.AddUserAsync();
        var byTokens = Record("tokens", id, 0m, tokens: 1_000);
        byTokens["model"] = "own";
        var free = Record("free", id, 0.5m);
        free["cache_hit"] = true;
        await ReportAsync(fixture, Record("priced", id, 0.25m), byTokens, free);
        await Eventually.TrueAsync(() => fixture.Database.ScalarAsync<bool>("select count(*) = 3 from usage_records"), "all are charged");

        var token = fixture.TokenOf(id);
        var summary = (await fixture.GetAsync("api/v1/credits/usage/summary", token)).Json;
        Assert.Equal(
            (3, "500.500000", 1, 2),
            ((int)summary["total_events"]!, (string)summary["total_cost"]!,
                (int)summary["free_tier_events"]!, (int)summary["paid_tier_events"]!));
        Assert.Equal(5m - 500.5m, await fixture.BalanceOfAsync(id));
        var models = (await fixture.GetAsync("api/v1/credits/usage/by-model", token)).Json.AsArray();
        Assert.Equal(["own 500.000000", "gpt-4o-mini 0.500000"], models.Select(model => $"{model!["model"]} {model["cost"]}"));
        Assert.Equal(
            ["free 0.000000 0.5", "priced 0.500000 0.25", "tokens 500.000000 0"],
            await fixture.Database.QueryAsync<string>(
                """
                select concat_ws(' ', metadata->>'record_id', cost, metadata->>'response_cost') from credit_transactions
                where transaction_type = 'usage' order by 1
                """));
    }

    [Fact]
    public async Task A_clamped_charge_is_summed_as_what_was_taken_and_an_unlimited_account_is_not_clamped()
    {
        await using var fixture = await StartAsync(postgres, ("Metering:BelowZero", "Clamp"));
        var (ana, bob) = (await fixture.AddUserAsync("ana"), await fixture.AddUserAsync("bob"));
        await fixture.Database.ExecuteAsync("update user_credits set unlimited = true, monthly_cap = null where user_id = @bob",
            new { bob });
        await fixture.ReportAsync(Record("r1", ana, 7m), Record("r2", bob, 7m));
        Assert.Equal((0m, -2m), (await fixture.BalanceAsync(ana), await fixture.BalanceAsync(bob)));
        Assert.Equal(
            [5m, 7m],
            await fixture.Database.QueryAsync<decimal>("select cost from credit_transactions where transaction_type = 'usage' order by 1"));
    }

    [Fact]
    public async Task A_model_whose_name_has_a_colon_is_priced_in_a_list_and_any_by_its_group()
    {
        await using var fixture = await StartAsync(
            postgres,
            ("Metering:Prices:NamedModels:0:Model", "anthropic.claude-v1:0"), ("Metering:Prices:NamedModels:0:Credits", "2"),
            ("Metering:Prices:Models:chat-small", "3"));
        var ana = await fixture.AddUserAsync("ana");
        JsonObject Call(string id, string model, string group)
        {
            var record = Record(id, ana, 0m, tokens: 100);
            (record["model"], record["model_group"]) = (model, group);
            return record;
        }

        await fixture.ReportAsync(
            Call("a", "anthropic.claude-v1:0", "chat-small"), Call("b", "llama3:8b", "chat-small"),
            Call("c", "llama3:8b", "anthropic.claude-v1:0"), Call("d", "x", "y"));
        Assert.Equal([0.2m, 0.3m, 0.2m, 0.0001m], await fixture.ChargesAsync(ana));
    }

    private static async Task ReportAsync(CreditsFixture fixture, params JsonObject[] records)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(fixture.Bridge.Url, Meter));
        request.Headers.Add("x-api-key", Key);
        request.Content = new StringContent(new JsonArray([.. records]).ToJsonString());
        using var answer = await http.SendAsync(request, TestContext.Current.CancellationToken);
        answer.EnsureSuccessStatusCode();
    }
}
