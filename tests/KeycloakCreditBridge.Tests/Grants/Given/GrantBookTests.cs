using Dapper;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Given;

/// <summary>Grants in the database: ends, voids and extensions, each booked once.</summary>
public sealed class GrantBookTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_grant_is_given_once_for_its_key()
    {
        await using var fixture = await GrantFixture.CreateAsync(postgres);
        await fixture.OpenAsync("ana");
        await fixture.GiveAsync("ana", "welcome", 5, days: 30);
        await fixture.GiveAsync("ana", "welcome", 5, days: 30);
        Assert.Equal("welcome 5", await fixture.LedgerAsync("ana"));
        Assert.Equal("welcome 5 = 5", await fixture.ShownAsync("ana"));
    }

    [Fact]
    public async Task What_is_left_at_the_end_is_booked_out_once_with_an_audit_row()
    {
        await using var fixture = await GrantFixture.CreateAsync(postgres);
        await fixture.OpenAsync("ana");
        await fixture.GiveAsync("ana", "a", 5, days: 30);
        await fixture.GiveAsync("ana", "b", 4, days: 60);
        await fixture.SpendAsync("ana", 2);
        fixture.Time.Advance(TimeSpan.FromDays(30));
        Assert.True(await fixture.Book.SettleAsync("ana", Token));
        Assert.False(await fixture.Book.SettleAsync("ana", Token));
        Assert.Equal("a 5, b 4, usage -2, expire:a -3", await fixture.LedgerAsync("ana"));
        Assert.Equal("a 0, b 4 = 4", await fixture.ShownAsync("ana"));
        Assert.Equal(
            ["a 3.000000"],
            await fixture.Database.QueryAsync<string>(
                "select metadata ->> 'grant' || ' ' || (metadata ->> 'amount') from audit_logs where action = 'credit.expired'"));
        Assert.Equal(
            ["a expired, b open"],
            await fixture.Database.QueryAsync<string>(
                "select string_agg(grant_key || ' ' || coalesce(close_reason, 'open'), ', ' order by grant_key) from credit_grants"));
        Assert.Equal(
            fixture.Time.GetUtcNow().AddDays(30),
            await fixture.Database.ScalarAsync<DateTime>("select next_expiry from user_credits"));
    }

    [Fact]
    public async Task A_spent_grant_ends_without_a_ledger_row()
    {
        await using var fixture = await GrantFixture.CreateAsync(postgres);
        await fixture.OpenAsync("ana");
        await fixture.GiveAsync("ana", "a", 5, days: 30);
        await fixture.SpendAsync("ana", 5);
        fixture.Time.Advance(TimeSpan.FromDays(31));
        await fixture.Book.SettleAsync("ana", Token);
        Assert.Equal("a 5, usage -5", await fixture.LedgerAsync("ana"));
        Assert.Null(await fixture.Database.ScalarAsync<DateTime?>("select next_expiry from user_credits"));
    }

    [Theory]
    [InlineData("Stop", 2, "ref 0, buy 9, p 1 = 10")]
    [InlineData("Others", 3, "ref 0, buy 9, p 0 = 9")]
    [InlineData("All", 5, "ref 0, buy 7, p 0 = 7")]
    public async Task A_void_takes_what_its_reach_allows_and_only_once(string beyond, int taken, string shown)
    {
        await using var fixture = await GrantFixture.CreateAsync(postgres);
        await fixture.OpenAsync("ana");
        await fixture.GiveAsync("ana", "ref", 5, days: 60);
        await fixture.GiveAsync("ana", "buy", 9, paid: true);
        await fixture.GiveAsync("ana", "p", 1);
        await fixture.SpendAsync("ana", 3);
        var order = new GrantVoid("ana", "ref", Enum.Parse<VoidReach>(beyond), "a mistake", "admin");
        Assert.Equal((GrantChangeOutcome.Done, taken), await Done(order));
        Assert.Equal(shown, await fixture.ShownAsync("ana"));
        Assert.Equal((GrantChangeOutcome.AlreadyDone, 0m), await Done(order));
        Assert.Equal((GrantChangeOutcome.UnknownGrant, 0m), await Done(order with { GrantKey = "none" }));
        Assert.Equal((GrantChangeOutcome.NoAccount, 0m), await Done(order with { AccountId = "missing" }));

        async Task<(GrantChangeOutcome, decimal)> Done(GrantVoid asked)
        {
            var result = await fixture.Book.VoidAsync(asked, Token);
            return (result.Outcome, result.Taken);
        }
    }

    [Fact]
    public async Task An_end_can_be_moved_until_it_has_passed()
    {
        await using var fixture = await GrantFixture.CreateAsync(postgres);
        await fixture.OpenAsync("ana");
        await fixture.GiveAsync("ana", "a", 5, days: 30);
        var later = new GrantExtension("ana", "a", fixture.Time.GetUtcNow().AddDays(90), ChangesEnd: true, Priority: null, "admin");
        Assert.Equal(GrantChangeOutcome.Done, (await fixture.Book.ExtendAsync(later, Token)).Outcome);
        fixture.Time.Advance(TimeSpan.FromDays(60));
        Assert.Equal("a 5 = 5", await fixture.ShownAsync("ana"));
        var ended = await fixture.Book.ExtendAsync(later with { ExpiresAt = fixture.Time.GetUtcNow() }, Token);
        Assert.Equal((GrantChangeOutcome.Done, 0m), (ended.Outcome, ended.Balance));
        Assert.Equal(GrantChangeOutcome.AlreadyDone, (await fixture.Book.ExtendAsync(later, Token)).Outcome);
        Assert.Equal("a 5, extend:a#1 0, extend:a#2 0, expire:a -5", await fixture.LedgerAsync("ana"));
    }

    [Fact]
    public async Task A_long_ledger_is_replayed_from_its_checkpoint()
    {
        await using var fixture = await GrantFixture.CreateAsync(postgres);
        await fixture.OpenAsync("ana");
        await fixture.GiveAsync("ana", "a", 5_000, days: 30);
        for (var number = 0; number < LotStore.CheckpointAfter; number++)
            await fixture.SpendAsync("ana", 1);
        Assert.Equal("a 4000 = 4000", await fixture.ShownAsync("ana"));
        await fixture.SpendAsync("ana", 1);
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        var account = new LockedAccount("ana", 3_999m, fixture.Time.GetUtcNow());
        Assert.Equal(1, (await LotStore.LoadAsync(connection, [account], fromStart: false, Token))["ana"].Replayed);
        Assert.Equal("a 3999 = 3999", await fixture.ShownAsync("ana"));

        // One that no longer explains the balance is left aside.
        await connection.ExecuteAsync("update lot_checkpoints set state = jsonb_set(state, '{Debt}', '7')");
        Assert.Equal("a 3999 = 3999", await fixture.ShownAsync("ana"));
    }
}
