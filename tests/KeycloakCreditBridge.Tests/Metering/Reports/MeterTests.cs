using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Metering.MeteringFixture;

namespace KeycloakCreditBridge.Tests.Metering.Reports;

public sealed class MeterTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Usage_is_charged_and_every_row_of_the_ledger_says_what_was_left()
    {
        await using var fixture = await StartAsync(postgres, ("Metering:Prices:Markups:trial", "2"));
        var (ana, bob) = (await fixture.AddUserAsync("ana"), await fixture.AddUserAsync("bob"));

        await fixture.ReportAsync(Record("r1", ana, 0.5m), Record("r2", bob, 0.25m), Record("r3", ana, 0.000214m));

        Assert.Equal((3.999572m, 4.5m), (await fixture.BalanceAsync(ana), await fixture.BalanceAsync(bob)));
        Assert.Equal(
            ["-1.000000 4.000000 openai gpt-4o-mini 100 1.000000 0.5 r1", "-0.000428 3.999572 openai gpt-4o-mini 100 0.000428 0.000214 r3"],
            await fixture.Database.QueryAsync<string>(
                """
                select concat_ws(' ', amount, balance_after, provider, model, tokens_used, cost,
                    metadata->>'response_cost', metadata->>'record_id')
                from credit_transactions where user_id = @ana and transaction_type = 'usage' order by balance_after desc
                """,
                new { ana }));
    }

    [Fact]
    public async Task A_record_delivered_many_times_is_charged_once()
    {
        await using var fixture = await StartAsync(postgres);
        await using var second = await BridgeFixture.Build(fixture.Database, fixture.Keycloak, ("Metering:ApiKeys:0", Key)).StartAsync();
        var users = await Task.WhenAll(Enumerable.Range(0, 10).Select(number => fixture.AddUserAsync($"user{number}")));
        JsonObject[] records = [.. Enumerable.Range(0, 50).Select(number => Record($"r{number:D2}", users[number % 10], 0.01m))];

        await Task.WhenAll(Enumerable.Range(0, 20).Select(round => fixture.ReportAsync(
            [.. records.OrderBy(record => HashCode.Combine((string?)record["id"], round)), records[round]])));

        Assert.Equal(
            50, await fixture.Database.ScalarAsync<int>("select count(*)::int from credit_transactions where transaction_type = 'usage'"));
        foreach (var user in users)
            Assert.Equal(4.95m, await fixture.BalanceAsync(user));
    }

    [Fact]
    public async Task One_bad_record_among_many_is_kept_with_the_reason_and_the_others_are_charged()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        var absurd = Record("absurd", ana, 0m);
        absurd["response_cost"] = JsonNode.Parse("1e400");
        var nameless = Record("x", ana, 0.01m);
        nameless.Remove("id");
        var zero = Record("with\0zero", ana, 0.01m);
        var negative = Record("negative", ana, -1m);

        await fixture.ReportAsync(
            [.. Enumerable.Range(0, 496).Select(number => Record($"r{number}", ana, 0.001m)), absurd, nameless, zero, negative]);

        Assert.Equal(5m - 0.496m, await fixture.BalanceAsync(ana));
        Assert.Equal(
            [
                "The field response_cost is not a number from 0 to 100000.",
                "The field response_cost is not a number from 0 to 100000.",
                "The fields id and litellm_call_id are missing: report at least one of them.",
                "The fields id and litellm_call_id are missing: report at least one of them.",
            ],
            await fixture.Database.QueryAsync<string>("select error from usage_refusals order by error"));
    }

    [Fact]
    public async Task Usage_of_a_new_user_waits_for_the_account_and_is_charged_then()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        var bob = await fixture.Keycloak.CreateAsync("bob");

        await fixture.ReportAsync(Record("r1", ana, 1m), Record("r2", bob, 2m));

        Assert.Equal((4m, 3m), (await fixture.BalanceAsync(ana), await fixture.BalanceAsync(bob)));
    }

    [Fact]
    public async Task A_repeated_call_id_chosen_by_the_caller_hides_no_call_of_any_user()
    {
        await using var fixture = await StartAsync(postgres);
        var (ana, bob) = (await fixture.AddUserAsync("ana"), await fixture.AddUserAsync("bob"));
        JsonObject Call(string user, decimal endTime)
        {
            var record = Record("fixed", user, 1m);
            record["litellm_call_id"] = "fixed";
            record["endTime"] = endTime;
            return record;
        }

        await fixture.ReportAsync(Call(ana, 1.5m), Call(ana, 2.5m), Call(bob, 1.5m));
        await fixture.ReportAsync(Call(ana, 1.5m), Call(ana, 2.5m), Call(bob, 1.5m));

        Assert.Equal((3m, 4m), (await fixture.BalanceAsync(ana), await fixture.BalanceAsync(bob)));
    }

    [Fact]
    public async Task A_report_of_more_records_than_can_be_charged_at_once_is_refused()
    {
        await using var fixture = await StartAsync(postgres);
        string[] bodies = [$"[{string.Join(',', Enumerable.Repeat("0", 10_001))}]", string.Join('\n', Enumerable.Repeat("{}", 10_003))];
        foreach (var body in bodies)
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await fixture.PostAsync("usage/litellm", body)).Status);
    }

    [Fact]
    public async Task A_name_is_cut_between_characters()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        var record = Record("r1", ana, 1m);
        record["model"] = new string('m', 199) + "\U0001F680";
        await fixture.ReportAsync(record);
        Assert.Equal([1m], await fixture.ChargesAsync(ana));
    }

    [Fact]
    public async Task Usage_takes_a_balance_below_zero_and_the_gate_closes()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        await fixture.ReportAsync(Record("r1", ana, 4m), Record("r2", ana, 4m));
        Assert.Equal(-3m, await fixture.BalanceAsync(ana));
        Assert.Equal("BLOCKED", (string?)(await fixture.AskAsync(ana))["action"]);
    }

    [Fact]
    public async Task A_clamped_balance_ends_at_zero_and_the_ledger_adds_up()
    {
        await using var fixture = await StartAsync(postgres, ("Metering:BelowZero", "Clamp"));
        var ana = await fixture.AddUserAsync("ana");
        await fixture.ReportAsync(Record("r1", ana, 3m), Record("r2", ana, 3m), Record("r3", ana, 3m));
        await fixture.ReportAsync(Record("r4", ana, 3m));
        Assert.Equal(0m, await fixture.BalanceAsync(ana));
        Assert.Equal([3m, 2m, 0m, 0m], await fixture.ChargesAsync(ana));
    }

    [Fact]
    public async Task Only_what_succeeded_is_charged()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        var failed = Record("r1", ana, 0m);
        failed["status"] = "failure";
        await fixture.ReportAsync(failed, Record("r2", ana, 1m));
        Assert.Equal([1m], await fixture.ChargesAsync(ana));
    }

    [Fact]
    public async Task Records_come_as_an_array_as_one_object_or_one_on_each_line()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        string[] bodies =
        [
            new JsonArray(Record("a", ana, 0.1m)).ToJsonString(),
            Record("b", ana, 0.1m).ToJsonString(),
            $"{Record("c", ana, 0.1m).ToJsonString()}\n\nthis is no record\r\n{Record("d", ana, 0.1m).ToJsonString()}\n",
        ];
        foreach (var body in bodies)
            Assert.Equal(HttpStatusCode.OK, (await fixture.PostAsync("usage/litellm", body, $"Bearer {Key}", "Authorization")).Status);
        await fixture.ProcessedAsync();
        Assert.Equal([0.1m, 0.1m, 0.1m, 0.1m], await fixture.ChargesAsync(ana));
        Assert.Equal(
            ["this is no record"], await fixture.Database.QueryAsync<string>("select convert_from(record, 'UTF8') from usage_refusals"));
    }

    [Theory]
    [InlineData("", HttpStatusCode.BadRequest)]
    [InlineData("  ", HttpStatusCode.BadRequest)]
    [InlineData("hello", HttpStatusCode.BadRequest)]
    public async Task A_body_without_records_is_a_bad_request(string body, HttpStatusCode status)
    {
        await using var fixture = await StartAsync(postgres);
        Assert.Equal(status, (await fixture.PostAsync("usage/litellm", body)).Status);
    }

    [Fact]
    public async Task A_report_that_is_too_long_is_refused_before_it_is_read()
    {
        await using var fixture = await StartAsync(postgres, ("Metering:MaxBodyBytes", "1024"));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await fixture.PostAsync("usage/litellm", $"[{new string(' ', 2000)}]")).Status);
    }

    [Fact]
    public async Task The_documented_record_is_charged()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        var record = JsonNode.Parse(
            """
            {"id": "chatcmpl-C7q2", "litellm_call_id": "c-41", "trace_id": "t-7", "call_type": "acompletion", "status": "success",
             "stream": true, "cache_hit": false, "response_cost": 0.000214, "prompt_tokens": 120, "completion_tokens": 48,
             "total_tokens": 168, "model": "gpt-4o-mini", "model_group": "chat-small", "custom_llm_provider": "openai",
             "api_base": "https://api.openai.com", "startTime": 1790000000.21, "endTime": 1790000001.9, "end_user": "",
             "metadata": {"user_api_key_user_id": "3f1d", "user_api_key_hash": "a91c", "user_api_key_end_user_id": null}}
            """)!.AsObject();
        record["metadata"]!["user_api_key_user_id"] = ana;
        await fixture.ReportAsync(record);
        Assert.Equal([0.000214m], await fixture.ChargesAsync(ana));
    }
}
