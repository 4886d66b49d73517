using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Grants.Review.Holds.Upkeep;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Grants.Review.Holds.Upkeep;

/// <summary>Holds are deleted a while after their decision.</summary>
public sealed class HoldPurgeTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Decided_holds_are_deleted_after_their_time_and_what_was_refused_stays_refused()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres, ("Grants:Fraud:RetainHolds", "100.00:00:00"));
        var purge = ActivatorUtilities.CreateInstance<HoldPurge>(fixture.Services);
        foreach (var (user, to) in ((string, HoldState)[])[
            ("ana", HoldState.Approved), ("bob", HoldState.Rejected), ("cleo", HoldState.Lapsed)])
            Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(await fixture.HoldAsync(user), to));
        await fixture.HoldAsync("waits");
        fixture.Time.Advance(TimeSpan.FromDays(50));
        await fixture.DecideAsync(await fixture.HoldAsync("dora"), HoldState.Approved);
        Assert.Equal(0, await purge.PurgeAsync(Token));

        fixture.Time.Advance(TimeSpan.FromDays(51));
        Assert.Equal(3, await purge.PurgeAsync(Token));
        Assert.Equal(0, await purge.PurgeAsync(Token));
        Assert.Equal(["waits welcome 4.00 held", "dora welcome 4.00 approved operator"], await fixture.HoldsAsync());
        foreach (var user in (string[])["ana", "bob", "cleo", "waits"])
            await fixture.ReadAsync(User(user, $"{user}@example.com"));
        Assert.Equal(
            [5m, 1m, 1m, 1m],
            [await fixture.BalanceAsync("ana"), await fixture.BalanceAsync("bob"), await fixture.BalanceAsync("cleo"),
                await fixture.BalanceAsync("waits")]);
        Assert.Equal(AppealOutcome.Unknown, await fixture.Book.AppealAsync("bob", "welcome", "Late.", Token));
        Assert.Equal(["bob", "cleo"], await fixture.Database.QueryAsync<string>("select user_id from refused_grants order by 1"));
    }

    [Fact]
    public async Task An_approved_hold_stays_while_its_referral_waits_for_the_payment()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        var purge = ActivatorUtilities.CreateInstance<HoldPurge>(fixture.Services);
        var id = await fixture.HoldAsync(
            "ana", change: hold => hold with { Key = "referral:received", Policy = "referral", Claim = null });
        await fixture.Database.ExecuteAsync(
            """
            insert into referrals (referrer, referee, state, touched_at, evaluated_at, due_at)
            values ('bob', 'ana', 'held', now(), now(), now())
            """);
        Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(id, HoldState.Approved));
        fixture.Time.Advance(TimeSpan.FromDays(731));
        Assert.Equal(0, await purge.PurgeAsync(Token));
        await fixture.Database.ExecuteAsync("update referrals set state = 'paid', referee_grant = 'referral:received', due_at = null");
        Assert.Equal(1, await purge.PurgeAsync(Token));
    }
}
