using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Tests.Grants.Review.Holds;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts.Renames;

public sealed class HoldRenameTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_hold_follows_its_realm()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        var (ana, bob) = (await fixture.HoldAsync("ana"), await fixture.HoldAsync("bob"));
        await fixture.Database.ExecuteAsync(
            "select count(*) from credit_rename_realm(@From, 'store', false)", new { From = HoldFixture.Realm });
        Assert.Null(await fixture.List.FindAsync(ana, [HoldFixture.Realm], Token));
        Assert.Equal("store", (await fixture.List.FindAsync(ana, ["store"], Token))!.Realm);
        var approval = new HoldDecision(ana, 1, HoldState.Approved, "operator");
        Assert.Equal(DecisionOutcome.Unknown, (await fixture.Book.DecideAsync(approval, [HoldFixture.Realm], Token)).Outcome);
        Assert.Equal(DecisionOutcome.Done, (await fixture.Book.DecideAsync(approval, ["store"], Token)).Outcome);
        Assert.Equal(5m, await fixture.BalanceAsync("ana"));
        fixture.Time.Advance(TimeSpan.FromDays(15));
        await fixture.Book.LapseAsync(Token);
        Assert.Equal("lapsed", (await fixture.List.FindAsync(bob, ["store"], Token))!.State);
    }
}
