using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Metering.MeteringFixture;

namespace KeycloakCreditBridge.Tests.Metering.Reports;

/// <summary>A call is known by its id, its call id and its start together; an object of the provider by its own id.</summary>
public sealed class CallIdentityTests(PostgresFixture postgres)
{
    private const decimal Now = 1790000000.25m;

    [Fact]
    public async Task An_id_that_the_provider_uses_again_for_another_call_is_charged_again()
    {
        await using var scene = await StartAsync(postgres);
        var ana = await scene.AddUserAsync("ana");
        var (first, second) = (Call("chatcmpl-213", "c-1", ana, Now), Call("chatcmpl-213", "c-2", ana, Now + 2_000_000m));

        await scene.ReportAsync(first);
        await scene.ReportAsync(second);
        await scene.ReportAsync(first, second, first);

        Assert.Equal(3m, await scene.BalanceAsync(ana));
    }

    [Theory]
    [InlineData("\"\"")]
    [InlineData("\"None\"")]
    [InlineData("\"null\"")]
    [InlineData("null")]
    [InlineData("213")]
    public async Task A_call_without_a_usable_id_is_known_by_its_call_id(string id)
    {
        await using var scene = await StartAsync(postgres);
        var ana = await scene.AddUserAsync("ana");
        JsonObject[] records = [Call(null, "c-1", ana, Now), Call(null, "c-2", ana, Now), Call(null, "c-2", ana, Now + 1m)];
        foreach (var record in records)
            record["id"] = JsonNode.Parse(id);

        await scene.ReportAsync(records);
        await scene.ReportAsync(records);

        Assert.Equal(2m, await scene.BalanceAsync(ana));
        Assert.Equal(0, await scene.RefusalsAsync());
    }

    [Fact]
    public async Task A_caller_that_always_sends_the_same_call_id_pays_for_each_call()
    {
        await using var scene = await StartAsync(postgres);
        var ana = await scene.AddUserAsync("ana");
        // Older releases report no litellm_call_id, and an embedding has no id but the caller's.
        foreach (var id in (string[])["mine", "None", new string('x', 3_000)])
        {
            var (first, second) = (Call(id, null, ana, Now), Call(id, null, ana, Now + 5m));
            await scene.ReportAsync(first, second);
            await scene.ReportAsync(second, first);
        }

        Assert.Equal(-1m, await scene.BalanceAsync(ana));
        Assert.Equal(0, await scene.RefusalsAsync());
    }

    [Fact]
    public async Task A_record_that_an_older_release_charged_by_its_id_alone_is_not_charged_again()
    {
        await using var scene = await StartAsync(postgres);
        var ana = await scene.AddUserAsync("ana");
        await scene.Database.ExecuteAsync(
            """
            insert into usage_records (user_id, record_id, charged_at)
            values (@ana, 'chatcmpl-1', to_timestamp(@Now)), (@ana, 'mine 1.5 2.5', now())
            """,
            new { ana, Now = (double)Now + 10 });
        var mine = Call("mine", "mine", ana, 1.5m);
        mine["endTime"] = 2.5m;

        await scene.ReportAsync(Call("chatcmpl-1", "c-1", ana, Now), mine);
        Assert.Equal(5m, await scene.BalanceAsync(ana));
        await scene.ReportAsync(Call("chatcmpl-1", "c-2", ana, Now + 3_600m));
        Assert.Equal(4m, await scene.BalanceAsync(ana));
    }

    [Fact]
    public async Task A_finished_batch_is_charged_once_and_its_creation_at_no_cost_does_not_use_it_up()
    {
        await using var scene = await StartAsync(postgres);
        var (ana, bob) = (await scene.AddUserAsync("ana"), await scene.AddUserAsync("bob"));
        var created = Call("batch_1", "c-1", ana, Now, 0m, "acreate_batch", tokens: 0);
        var pending = Call("batch_1", "c-2", ana, Now + 60m, 0m, "aretrieve_batch", tokens: 35);
        var finished = Call("batch_1", "c-3", ana, Now + 120m, 1.5m, "aretrieve_batch");

        await scene.ReportAsync(created, pending, finished);
        await scene.ReportAsync(Call("batch_1", "c-4", ana, Now + 180m, 1.5m, "aretrieve_batch"), finished);
        await scene.ReportAsync(Call("batch_1_batch_cost", "c-5", ana, Now + 200m, 1.5m, "aretrieve_batch"));
        var wrapped = Convert.ToBase64String("litellm_proxy;model_id:m;llm_batch_id:batch_1"u8).TrimEnd('=');
        await scene.ReportAsync(Call(wrapped, "c-7", ana, Now + 210m, 1.5m, "aretrieve_batch"));
        await scene.ReportAsync(Call("batch_1", "c-6", bob, Now + 240m, 1.5m, "aretrieve_batch"));

        Assert.Equal((3.5m, 5m), (await scene.BalanceAsync(ana), await scene.BalanceAsync(bob)));
        Assert.Equal([1.5m], await scene.ChargesAsync(ana));
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
        await using var scene = await StartAsync(postgres);
        var ana = await scene.AddUserAsync("ana");
        await scene.ReportAsync(Call("resp_1", "c-1", ana, Now, callType: "aresponses"));
        await scene.ReportAsync(
            Call("resp_1", "c-2", ana, Now + 1m, callType: callType), Call("resp_2", "c-3", ana, Now + 2m, callType: callType),
            Call("resp_3", "c-4", ana, Now + 3m, 0m, callType));

        Assert.Equal(4m, await scene.BalanceAsync(ana));
        Assert.Equal([1m], await scene.ChargesAsync(ana));
    }

    [Fact]
    public async Task A_background_response_is_charged_once_by_the_reading_that_carries_its_cost()
    {
        await using var scene = await StartAsync(postgres);
        var ana = await scene.AddUserAsync("ana");
        JsonObject Background(string id, string call, decimal start, decimal cost, string callType)
        {
            var record = Call(id, call, ana, start, cost, callType, tokens: cost == 0m ? 0 : 100);
            record["response"] = new JsonObject { ["background"] = true };
            return record;
        }

        var wrapped = "resp_" + Convert.ToBase64String("litellm:custom_llm_provider:openai;model_id:m;response_id:resp_68a1"u8);
        await scene.ReportAsync(
            Background("resp_68a1", "c-1", Now, 0m, "aresponses"), Background("resp_68a1", "c-2", Now + 1m, 1m, "aget_responses"));
        await scene.ReportAsync(
            Background("resp_68a1", "c-3", Now + 2m, 1m, "aget_responses"), Background(wrapped, "c-4", Now + 3m, 1m, "aget_responses"));
        // An encrypted id is another one at each reading, so that nothing tells the readings from each other.
        await scene.ReportAsync(Background("resp_" + new string('Q', 90), "c-5", Now + 4m, 1m, "aget_responses"));

        Assert.Equal(4m, await scene.BalanceAsync(ana));
    }

    private static JsonObject Call(
        string? id, string? callId, string user, decimal start, decimal cost = 1m, string callType = "acompletion", int tokens = 100)
    {
        var record = Record(id ?? "", user, cost, tokens);
        record["call_type"] = callType;
        record["startTime"] = start;
        record["endTime"] = start + 1.5m;
        if (callId is not null)
            record["litellm_call_id"] = callId;
        return record;
    }
}
