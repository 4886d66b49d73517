using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Metering.MeteringFixture;

namespace KeycloakCreditBridge.Tests.Metering.Reports;

/// <summary>An object of the provider, such as a batch, is known by its own id, and charged when its cost is known.</summary>
public sealed class ObjectIdentityTests(PostgresFixture postgres)
{
    private const decimal Now = 1790000000.25m;
    private const string Wrapped = "bGl0ZWxsbV9wcm94eTttb2RlbF9pZDptO2xsbV9iYXRjaF9pZDpiYXRjaF8x";

    [Fact]
    public async Task A_finished_batch_is_charged_once_and_its_creation_at_no_cost_does_not_use_it_up()
    {
        await using var fixture = await StartAsync(postgres);
        var (ana, bob) = (await fixture.AddUserAsync("ana"), await fixture.AddUserAsync("bob"));
        var created = Call("batch_1", "c-1", ana, Now, 0m, "acreate_batch", tokens: 0);
        var pending = Call("batch_1", "c-2", ana, Now + 60m, 0m, "aretrieve_batch", tokens: 35);
        var finished = Call("batch_1", "c-3", ana, Now + 120m, 1.5m, "aretrieve_batch");

        await fixture.ReportAsync(created, pending, finished);
        await fixture.ReportAsync(Call("batch_1", "c-4", ana, Now + 180m, 1.5m, "aretrieve_batch"), finished);
        await fixture.ReportAsync(Call("batch_1_batch_cost", "c-5", ana, Now + 200m, 1.5m, "aretrieve_batch"));
        await fixture.ReportAsync(Call(Wrapped, "c-7", ana, Now + 210m, 1.5m, "aretrieve_batch"));
        await fixture.ReportAsync(Call("batch_1", "c-6", bob, Now + 240m, 1.5m, "aretrieve_batch"));

        Assert.Equal((3.5m, 5m), (await fixture.BalanceAsync(ana), await fixture.BalanceAsync(bob)));
        Assert.Equal([1.5m], await fixture.ChargesAsync(ana));
    }

    [Theory]
    [InlineData("llm_batch_id:\0;x")]
    [InlineData("llm_batch_id:;x")]
    public async Task A_wrapped_id_that_is_none_leaves_the_object_its_own_id(string wrapped)
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        var id = $"batch_{Convert.ToBase64String(Encoding.UTF8.GetBytes(wrapped))}";
        await fixture.ReportAsync(Call(id, "c-1", ana, Now, 1.5m, "aretrieve_batch"));
        Assert.Equal([id], await fixture.Database.QueryAsync<string>("select record_id from usage_records"));
        Assert.Equal([1.5m], await fixture.ChargesAsync(ana));
    }

    [Theory]
    [InlineData("aget_responses")]
    [InlineData("get_responses")]
    [InlineData("adelete_responses")]
    [InlineData("alist_input_items")]
    [InlineData("avideo_retrieve")]
    [InlineData("avector_store_file_list")]
    public async Task Reading_what_is_stored_costs_nothing(string callType)
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        await fixture.ReportAsync(Call("resp_1", "c-1", ana, Now, callType: "aresponses"));
        await fixture.ReportAsync(
            Call("resp_1", "c-2", ana, Now + 1m, callType: callType), Call("resp_2", "c-3", ana, Now + 2m, callType: callType),
            Call("resp_3", "c-4", ana, Now + 3m, 0m, callType));

        Assert.Equal(4m, await fixture.BalanceAsync(ana));
        Assert.Equal([1m], await fixture.ChargesAsync(ana));
    }

    [Fact]
    public async Task A_background_response_is_charged_once_by_the_reading_that_carries_its_cost()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        var wrapped = "resp_" + Convert.ToBase64String("litellm:custom_llm_provider:openai;model_id:m;response_id:resp_68a1"u8);
        await fixture.ReportAsync(
            Background("resp_68a1", "c-1", ana, Now, 0m, "aresponses"),
            Background("resp_68a1", "c-2", ana, Now + 1m, 1m, "aget_responses"));
        await fixture.ReportAsync(
            Background("resp_68a1", "c-3", ana, Now + 2m, 1m, "aget_responses"),
            Background(wrapped, "c-4", ana, Now + 3m, 1m, "aget_responses"));
        // An encrypted id is another one at each reading, so that nothing tells the readings from each other.
        await fixture.ReportAsync(Background("resp_" + new string('Q', 90), "c-5", ana, Now + 4m, 1m, "aget_responses"));

        Assert.Equal(4m, await fixture.BalanceAsync(ana));
    }

    [Theory]
    [InlineData("batch_1", "batch_1")]
    [InlineData("batch_1", "batch_1_batch_cost")]
    [InlineData("batch_1", Wrapped)]
    [InlineData(Wrapped, Wrapped)]
    public async Task A_batch_that_an_older_release_charged_is_not_charged_again(string oldId, string id)
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        await ChargeByOlderReleaseAsync(fixture, ana, oldId, responseCost: 1m);

        await fixture.ReportAsync(Call(id, "c-2", ana, Now + 900m, callType: "aretrieve_batch"));
        await fixture.ReportAsync(Call(id, "c-3", ana, Now + 990m, callType: "aretrieve_batch"));

        Assert.Equal(5m, await fixture.BalanceAsync(ana));
    }

    [Fact]
    public async Task A_batch_whose_creation_at_no_cost_an_older_release_recorded_is_charged_once()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        await ChargeByOlderReleaseAsync(fixture, ana, "batch_1", responseCost: 0m);

        foreach (var call in (string[])["c-2", "c-3"])
            await fixture.ReportAsync(Call("batch_1", call, ana, Now + 900m, callType: "aretrieve_batch"));

        Assert.Equal(4m, await fixture.BalanceAsync(ana));
    }

    [Fact]
    public async Task A_background_response_without_a_usable_id_is_charged_by_its_creation()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        JsonObject[] records =
        [
            Background("resp_" + new string('Q', 90), "c-1", ana, Now, 1m, "aresponses"),
            Background("resp_" + new string('R', 90), "c-2", ana, Now + 1m, 1m, "aget_responses"),
            Background(null, "c-3", ana, Now + 2m, 1m, "aresponses"),
            Background(null, "c-4", ana, Now + 3m, 1m, "aget_responses"),
            // Without an id LiteLLM reports the call id.
            Background("c-5", "c-5", ana, Now + 4m, 1m, "aresponses"),
            Background("c-6", "c-6", ana, Now + 5m, 1m, "aget_responses"),
        ];

        await fixture.ReportAsync(records);
        await fixture.ReportAsync(records);

        Assert.Equal(2m, await fixture.BalanceAsync(ana));
    }

    [Fact]
    public async Task A_call_id_that_a_caller_chose_uses_up_no_object_of_another_user()
    {
        await using var fixture = await StartAsync(postgres);
        var (ana, bob) = (await fixture.AddUserAsync("ana"), await fixture.AddUserAsync("bob"));

        await fixture.ReportAsync(
            Call("batch_1", "batch_1", bob, Now, 0.001m, "afile_content"),
            Background("resp_1", "resp_1", bob, Now, 0.001m, "aget_responses"));
        await fixture.ReportAsync(
            Call("batch_1", "c-1", ana, Now + 9m, callType: "aretrieve_batch"),
            Background("resp_1", "c-2", ana, Now + 9m, 1m, "aget_responses"));

        Assert.Equal((3m, 4.998m), (await fixture.BalanceAsync(ana), await fixture.BalanceAsync(bob)));
    }

    [Fact]
    public async Task A_response_is_charged_once_to_a_caller_that_reads_it_with_its_id_as_call_id()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        await fixture.ReportAsync(
            Background("resp_1", "resp_1", ana, Now, 1m, "aget_responses"),
            Background("resp_1", "resp_1", ana, Now + 9m, 1m, "aget_responses"));
        Assert.Equal(4m, await fixture.BalanceAsync(ana));
    }

    [Theory]
    [InlineData("Metering:Prices:Models:gpt-4o-mini", "2", 4.8)]
    [InlineData("Metering:Prices:From", "Tokens", 4.9999)]
    public async Task A_pending_batch_priced_by_tokens_is_charged_when_it_is_finished(string setting, string value, double balance)
    {
        await using var fixture = await StartAsync(postgres, (setting, value));
        var ana = await fixture.AddUserAsync("ana");
        await fixture.ReportAsync(
            WithStatus(Call("batch_1", "c-1", ana, Now, 0m, "acreate_batch", tokens: 35), "validating"),
            Call("batch_1", "c-2", ana, Now + 1m, 0m, "aretrieve_batch", tokens: 40));
        Assert.Equal(5m, await fixture.BalanceAsync(ana));

        foreach (var call in (string[])["c-3", "c-4"])
            await fixture.ReportAsync(WithStatus(Call("batch_1", call, ana, Now + 2m, 0m, "aretrieve_batch"), "completed"));
        Assert.Equal((decimal)balance, await fixture.BalanceAsync(ana));
    }

    [Theory]
    [InlineData("batch_1")]
    [InlineData(null)]
    public async Task Unreadable_tokens_of_a_pending_batch_refuse_nothing(string? id)
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        var pending = Call(id, "c-1", ana, Now, 0m, "aretrieve_batch");
        var counted = (JsonObject)pending.DeepClone();
        pending["total_tokens"] = "many";

        await fixture.ReportAsync(pending, counted);

        Assert.Equal((5m, 0), (await fixture.BalanceAsync(ana), await fixture.RefusalsAsync()));
    }

    private static Task<int> ChargeByOlderReleaseAsync(MeteringFixture fixture, string user, string id, decimal responseCost) =>
        fixture.Database.ExecuteAsync(
            """
            with record as (
                insert into usage_records (user_id, record_id, charged_at) values (@user, @id, timestamptz '2026-11-27 12:00:00.123456Z')
                returning charged_at)
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, created_at, metadata)
            select @user, 0, 5, 'usage', charged_at, jsonb_build_object('record_id', @id::text, 'response_cost', @responseCost)
            from record
            """,
            new { user, id, responseCost });

    private static JsonObject Background(string? id, string callId, string user, decimal start, decimal cost, string callType)
    {
        var record = Call(id, callId, user, start, cost, callType, tokens: cost == 0m ? 0 : 100);
        record["response"] = new JsonObject { ["background"] = true };
        return record;
    }

    private static JsonObject WithStatus(JsonObject record, string status)
    {
        record["response"] = new JsonObject { ["status"] = status };
        return record;
    }
}
