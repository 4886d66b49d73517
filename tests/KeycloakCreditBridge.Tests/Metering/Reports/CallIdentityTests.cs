using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Metering.MeteringFixture;

namespace KeycloakCreditBridge.Tests.Metering.Reports;

/// <summary>A call is known by its id, its call id and its start together.</summary>
public sealed class CallIdentityTests(PostgresFixture postgres)
{
    private const decimal Now = 1790000000.25m;

    [Fact]
    public async Task An_id_that_the_provider_uses_again_for_another_call_is_charged_again()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        var (first, second) = (Call("chatcmpl-213", "c-1", ana, Now), Call("chatcmpl-213", "c-2", ana, Now + 2_000_000m));

        await fixture.ReportAsync(first);
        await fixture.ReportAsync(second);
        await fixture.ReportAsync(first, second, first);

        Assert.Equal(3m, await fixture.BalanceAsync(ana));
    }

    [Theory]
    [InlineData("\"\"")]
    [InlineData("\"None\"")]
    [InlineData("\"null\"")]
    [InlineData("null")]
    [InlineData("213")]
    public async Task A_call_without_a_usable_id_is_known_by_its_call_id(string id)
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        JsonObject[] records = [Call(null, "c-1", ana, Now), Call(null, "c-2", ana, Now), Call(null, "c-2", ana, Now + 1m)];
        foreach (var record in records)
            record["id"] = JsonNode.Parse(id);

        await fixture.ReportAsync(records);
        await fixture.ReportAsync(records);

        Assert.Equal(2m, await fixture.BalanceAsync(ana));
        Assert.Equal(0, await fixture.RefusalsAsync());
    }

    [Fact]
    public async Task A_caller_that_always_sends_the_same_call_id_pays_for_each_call()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        // Older releases report no litellm_call_id, and an embedding has no id but the caller's.
        foreach (var id in (string[])["mine", "None", new string('x', 3_000)])
        {
            var (first, second) = (Call(id, null, ana, Now), Call(id, null, ana, Now + 5m));
            await fixture.ReportAsync(first, second);
            await fixture.ReportAsync(second, first);
        }

        Assert.Equal(-1m, await fixture.BalanceAsync(ana));
        Assert.Equal(0, await fixture.RefusalsAsync());
    }

    [Fact]
    public async Task A_record_that_an_older_release_charged_by_its_id_alone_is_not_charged_again()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        await fixture.Database.ExecuteAsync(
            """
            insert into usage_records (user_id, record_id, charged_at)
            values (@ana, 'chatcmpl-1', to_timestamp(@Now)), (@ana, 'mine 1.5 2.5', now())
            """,
            new { ana, Now = (double)Now + 10 });
        var mine = Call("mine", "mine", ana, 1.5m);
        mine["endTime"] = 2.5m;

        await fixture.ReportAsync(Call("chatcmpl-1", "c-1", ana, Now), mine);
        Assert.Equal(5m, await fixture.BalanceAsync(ana));
        await fixture.ReportAsync(Call("chatcmpl-1", "c-2", ana, Now + 3_600m));
        Assert.Equal(4m, await fixture.BalanceAsync(ana));
    }
}
