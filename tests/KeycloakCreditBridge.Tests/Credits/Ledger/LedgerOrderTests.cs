using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Metering;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Ledger;

/// <summary>Ledger rows stand in the order of booking: each balance follows from the one before.</summary>
public sealed class LedgerOrderTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Rows_of_concurrent_requests_stand_in_the_order_of_booking()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var (service, admin) = (fixture.TokenOf("s1", CreditsFixture.Service), fixture.TokenOf("a1", CreditsFixture.Admin));
        var id = await fixture.AddUserAsync();
        await Task.WhenAll(Enumerable.Range(0, 200).Select(number => number % 3 == 0
            ? fixture.PostAsync(CreditsFixture.Allocate, admin, new JsonObject { ["user_id"] = id, ["amount"] = 0.02m, ["source"] = "s" })
            : fixture.PostAsync(
                CreditsFixture.Deduct, service, new JsonObject { ["user_id"] = id, ["amount"] = 0.01m, ["service"] = "s" })));
        await AssertInOrderAsync(fixture, id, 201);
    }

    [Fact]
    public async Task Rows_of_one_report_stand_in_the_order_of_booking()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, ("Metering:ApiKeys:0", MeteringFixture.Key));
        var id = await fixture.AddUserAsync();
        var records = Enumerable.Range(0, 100).Select(number => MeteringFixture.Record($"r{number}", id, 0.001m * (number + 1)));
        await fixture.ReportAsync(MeteringFixture.Key, [.. records]);
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>("select count(*) = 100 from credit_transactions where transaction_type = 'usage'"),
            "all records are charged");
        await AssertInOrderAsync(fixture, id, 101);
    }

    [Fact]
    public async Task Rows_of_one_instant_stand_in_the_order_of_booking_and_a_clock_far_ahead_does_not_last()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var id = await fixture.AddUserAsync();
        // Another replica's clock is ahead, by less and by more than a minute.
        await fixture.Database.ExecuteAsync("update user_credits set updated_at = now() + interval '30 seconds'");
        await DeductAsync();
        await DeductAsync();
        Assert.Equal(0, await LaterThanAsync("40 seconds"));
        Assert.Equal(2, await LaterThanAsync("10 seconds"));
        await fixture.Database.ExecuteAsync("update user_credits set updated_at = now() + interval '10 days'");
        await DeductAsync();
        Assert.Equal(0, await LaterThanAsync("1 day"));

        Task DeductAsync() => fixture.PostAsync(
            CreditsFixture.Deduct, fixture.TokenOf("s1", CreditsFixture.Service),
            new JsonObject { ["user_id"] = id, ["amount"] = 0.01m, ["service"] = "s" });

        Task<int> LaterThanAsync(string time) => fixture.Database.ScalarAsync<int>(
            "select count(*)::int from credit_transactions where created_at > now() + @time::interval", new { time });
    }

    private static async Task AssertInOrderAsync(CreditsFixture fixture, string id, int rows)
    {
        var ledger = (await fixture.GetAsync("api/v1/credits/transactions?limit=500", fixture.TokenOf(id))).Json.AsArray();
        Assert.Equal(rows, ledger.Count);
        for (var row = 0; row + 1 < ledger.Count; row++)
            Assert.Equal(Number(ledger[row + 1]!, "balance_after") + Number(ledger[row]!, "amount"), Number(ledger[row]!, "balance_after"));
    }

    private static decimal Number(JsonNode row, string name) =>
        decimal.Parse((string)row[name]!, System.Globalization.CultureInfo.InvariantCulture);
}
