using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Metering.MeteringFixture;

namespace KeycloakCreditBridge.Tests.Metering.Reports;

public sealed class FailedCallTests(PostgresFixture postgres)
{
    [Theory]
    [InlineData(null, 4.5, "charged")]
    [InlineData("Charge", 4.5, "charged")]
    [InlineData("Ignore", 5.0, "ignored")]
    public async Task The_partial_cost_of_a_failed_call_is_charged_unless_configured_otherwise_and_counted(
        string? setting, double left, string action)
    {
        await using var fixture = await StartAsync(postgres, ("Metering:FailedCalls", setting));
        var ana = await fixture.AddUserAsync("ana");
        var interrupted = Failed("r1", ana, 0.5m);

        await fixture.ReportAsync(interrupted, Failed("r2", ana, 0m));
        await fixture.ReportAsync(interrupted);

        Assert.Equal((decimal)left, await fixture.BalanceAsync(ana));
        using var answer = await fixture.Bridge.GetAsync("metrics");
        var metrics = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Matches($"bridge_meter_failed_calls_total\\{{[^}}]*action=\"{action}\"[^}}]*\\}} [12]", metrics);
    }

    [Fact]
    public async Task A_failed_call_without_a_cost_is_neither_charged_by_its_tokens_nor_refused()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        var anonymous = Failed("r3", ana, 0m);
        anonymous.Remove("metadata");
        var broken = Failed("r4", ana, 0m);
        broken["response_cost"] = JsonNode.Parse("null");

        await fixture.ReportAsync(Failed("r1", ana, 0m), Failed("r2", ana, -1m), anonymous, broken);

        Assert.Equal(5m, await fixture.BalanceAsync(ana));
        Assert.Equal(0, await fixture.RefusalsAsync());
    }

    private static JsonObject Failed(string id, string user, decimal cost)
    {
        var record = Record(id, user, cost);
        record["status"] = "failure";
        return record;
    }
}
