using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Metering.MeteringFixture;

namespace KeycloakCreditBridge.Tests.Metering.Reports;

/// <summary>A valid cost is charged even if fields that the price does not need are malformed.</summary>
public sealed class UnneededFieldTests(PostgresFixture postgres)
{
    [Theory]
    [InlineData("total_tokens", "14417.92", 14418)]
    [InlineData("total_tokens", "168.0", 168)]
    [InlineData("total_tokens", "\"168\"", 168)]
    [InlineData("total_tokens", "-1", null)]
    [InlineData("total_tokens", "1e300", null)]
    [InlineData("total_tokens", "{}", null)]
    [InlineData("model", "7", 100)]
    [InlineData("model", "\"\\ud83d\"", 100)]
    [InlineData("litellm_call_id", "\"\\ud83d\"", 100)]
    [InlineData("custom_llm_provider", "[]", 100)]
    public async Task A_valid_cost_is_charged_whatever_the_other_fields_hold(string field, string value, int? tokens)
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        var record = Record("r1", ana, 0.5m);
        record["x"] = "x";
        record.Remove(field);
        var body = record.ToJsonString().Replace("\"x\":\"x\"", $"\"{field}\":{value}", StringComparison.Ordinal);

        await fixture.PostAsync("usage/litellm", body);
        await fixture.ProcessedAsync();

        Assert.Equal(4.5m, await fixture.BalanceAsync(ana));
        Assert.Equal([tokens], await fixture.Database.QueryAsync<int?>(
            "select tokens_used from credit_transactions where transaction_type = 'usage'"));
    }

    [Fact]
    public async Task Unreadable_tokens_are_refused_where_the_price_needs_them()
    {
        await using var fixture = await StartAsync(postgres, ("Metering:Prices:From", "Tokens"));
        var ana = await fixture.AddUserAsync("ana");
        var record = Record("r1", ana, 0.5m);
        record["total_tokens"] = -1;

        await fixture.ReportAsync(record);

        Assert.Equal(5m, await fixture.BalanceAsync(ana));
        Assert.StartsWith(
            "The field total_tokens", Assert.Single(await fixture.Database.QueryAsync<string>("select error from usage_refusals")),
            StringComparison.Ordinal);
    }
}
