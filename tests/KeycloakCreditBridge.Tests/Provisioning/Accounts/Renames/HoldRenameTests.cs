using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Tests.Grants.Review.Holds;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts.Renames;

public sealed class HoldRenameTests(PostgresFixture postgres)
{
    private const string A = "a@example.com";
    private const string B = "b@example.com";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Holds_and_refusals_follow_their_accounts_and_are_decided_there()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres, ("Provisioning:AccountId", "{email}"));
        await fixture.ReadAsync(User("ana", A), User("bob", B));
        var (ana, bob) = (await HoldAsync("ana", "task:x"), await HoldAsync("bob", "task:x"));
        foreach (var user in (string[])["ana", "bob"])
            Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(await HoldAsync(user, "task:y"), HoldState.Rejected));
        Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(await HoldAsync("ana", "task:z"), HoldState.Rejected));
        // Each takes the other one's address.
        await fixture.ReadAsync(User("ana", B), User("bob", A));
        Assert.Equal(
            [$"{A} task:x held", $"{A} task:y rejected", $"{B} task:x held", $"{B} task:y rejected", $"{B} task:z rejected"],
            await fixture.Database.QueryAsync<string>(
                "select user_id || ' ' || grant_key || ' ' || state from grant_holds order by user_id, grant_key"));
        Assert.Equal(
            [$"{A} task:y", $"{B} task:y", $"{B} task:z"],
            await fixture.Database.QueryAsync<string>("select user_id || ' ' || grant_key from refused_grants order by 1"));
        Assert.Equal(B, (await fixture.FindAsync(ana)).AccountId);
        Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(bob, HoldState.Rejected));
        Assert.Equal(AppealOutcome.Unknown, await fixture.Book.AppealAsync(A, "task:z", "Please.", Token));
        Assert.Equal(AppealOutcome.Done, await fixture.Book.AppealAsync(B, "task:z", "Please.", Token));
        var (before, other) = (await fixture.BalanceAsync(B), await fixture.BalanceAsync(A));
        await fixture.Database.ExecuteAsync(
            "insert into grant_policies (realm, policy, activated_at) values (@Realm, 'task:x', @Start)", new { HoldFixture.Realm, Start });
        Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(ana, HoldState.Approved));
        Assert.Equal((before + 4m, other), (await fixture.BalanceAsync(B), await fixture.BalanceAsync(A)));

        Task<Guid> HoldAsync(string user, string key) =>
            fixture.OpenAsync(user, null, hold => hold with { Key = key, Policy = key });
    }

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
