using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Metering.MeteringFixture;

namespace KeycloakCreditBridge.Tests.Metering;

/// <summary>Gateways spend no credits that have ended, whether they were booked out or not.</summary>
public sealed class EndedCreditsOfGatewaysTests(PostgresFixture postgres)
{
    private const string EndSql =
        """
        with g as (update credit_grants set expires_at = now() - interval '1 second')
        update user_credits set next_expiry = now() - interval '1 second'
        """;

    private static readonly (string Key, string? Value) Ends = ("Grants:Opening:ExpiresAfter", "30.00:00:00");

    [Fact]
    public async Task The_gate_lets_no_call_pass_on_credits_that_have_ended()
    {
        await using var fixture = await StartAsync(postgres, Ends);
        var id = await fixture.AddUserAsync("ana");
        Assert.Equal("NONE", (string?)(await fixture.AskAsync(id))["action"]);
        await fixture.Database.ExecuteAsync(EndSql);
        var answer = await fixture.AskAsync(id);
        Assert.Equal("BLOCKED", (string?)answer["action"]);
        Assert.StartsWith("You have no credits left.", (string?)answer["blocked_reason"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_report_that_comes_after_the_end_is_paid_by_other_credits()
    {
        await using var fixture = await StartAsync(postgres, Ends);
        var id = await fixture.AddUserAsync("ana");
        await fixture.Database.ExecuteAsync(
            """
            insert into credit_transactions (user_id, amount, transaction_type, metadata, created_at)
            select user_id, 10, 'purchase', '{"source": "shop"}', updated_at from user_credits;
            update user_credits set credits_remaining = credits_remaining + 10
            """);
        await fixture.ReportAsync(Record("r1", id, 1m));
        await fixture.Database.ExecuteAsync(EndSql);
        await fixture.ReportAsync(Record("r2", id, 3m));
        Assert.Equal(7m, await fixture.BalanceAsync(id));
        Assert.Equal(
            -4m, await fixture.Database.ScalarAsync<decimal>("select amount from credit_transactions where grant_key = 'expire:signup'"));
        Assert.Equal([1m, 3m], await fixture.ChargesAsync(id));
    }

    [Fact]
    public async Task A_report_that_nothing_can_pay_takes_the_balance_below_nothing_and_not_the_ended_credits()
    {
        await using var fixture = await StartAsync(postgres, Ends);
        var id = await fixture.AddUserAsync("ana");
        await fixture.Database.ExecuteAsync(EndSql);
        await fixture.ReportAsync(Record("r1", id, 2m));
        Assert.Equal(-2m, await fixture.BalanceAsync(id));
        Assert.Equal(
            -5m, await fixture.Database.ScalarAsync<decimal>("select amount from credit_transactions where grant_key = 'expire:signup'"));
    }
}
