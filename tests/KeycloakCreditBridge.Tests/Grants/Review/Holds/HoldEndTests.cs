using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Grants.Review.Holds;

/// <summary>Holds that are not decided, those of users who pay, and appeals.</summary>
public sealed class HoldEndTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_not_decided_in_time_lapses_or_is_approved_as_was_said_at_the_hold()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        await fixture.HoldAsync("ana");
        await fixture.HoldAsync("bob", change: hold => hold with { LapseApproves = true });
        await fixture.HoldAsync("cleo", "bob@example.com", hold => hold with { LapseApproves = true });
        fixture.Time.Advance(TimeSpan.FromDays(13.9));
        Assert.Equal(0, await fixture.Book.LapseAsync(Token));
        fixture.Time.Advance(TimeSpan.FromDays(0.2));
        Assert.Equal(3, await fixture.Book.LapseAsync(Token));
        Assert.Equal(0, await fixture.Book.LapseAsync(Token));
        Assert.Equal(
            ["ana welcome 4.00 lapsed time", "bob welcome 4.00 approved time", "cleo welcome 4.00 lapsed time"],
            await fixture.HoldsAsync());
        Assert.Equal((1m, 5m), (await fixture.BalanceAsync("ana"), await fixture.BalanceAsync("bob")));
    }

    [Fact]
    public async Task A_user_who_pays_is_held_back_no_longer()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        await fixture.HoldAsync("ana");
        await fixture.HoldAsync("bob");
        await fixture.Database.ExecuteAsync(
            """
            with paid as (update user_credits set credits_remaining = credits_remaining + 10, updated_at = updated_at + interval '1 minute'
                where user_id = 'ana' returning *)
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at)
            select user_id, 10, credits_remaining, 'purchase', '{}', updated_at from paid
            """);
        Assert.Equal(1, await fixture.Book.LapseAsync(Token));
        Assert.Equal(["ana welcome 4.00 approved paid", "bob welcome 4.00 held"], await fixture.HoldsAsync());
        Assert.Equal(15m, await fixture.BalanceAsync("ana"));
    }

    [Fact]
    public async Task What_cannot_be_paid_for_the_moment_is_tried_again_a_day_later()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        await fixture.HoldAsync("ana", change: hold => hold with { LapseApproves = true });
        await fixture.Database.ExecuteAsync("update grant_policies set disabled_at = now()");
        fixture.Time.Advance(TimeSpan.FromDays(15));
        Assert.Equal(1, await fixture.Book.LapseAsync(Token));
        Assert.Equal(0, await fixture.Book.LapseAsync(Token));
        await fixture.Database.ExecuteAsync("update grant_policies set disabled_at = null");
        fixture.Time.Advance(TimeSpan.FromDays(1.1));
        Assert.Equal(1, await fixture.Book.LapseAsync(Token));
        Assert.Equal(["ana welcome 4.00 approved time"], await fixture.HoldsAsync());
    }

    [Theory]
    [InlineData("rejected")]
    [InlineData("lapsed")]
    public async Task An_appeal_puts_a_refused_grant_back_into_the_queue_once(string refused)
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        var id = await fixture.HoldAsync("ana");
        Assert.Equal(AppealOutcome.InReview, await AppealAsync("ana"));
        Assert.Equal(AppealOutcome.Unknown, await AppealAsync("bob"));
        await fixture.DecideAsync(id, HoldMoves.Parse(refused));
        await fixture.HoldAsync("bob");
        fixture.Time.Advance(TimeSpan.FromDays(1));
        Assert.Equal(AppealOutcome.Done, await AppealAsync("ana"));
        Assert.Equal(AppealOutcome.AlreadyAppealed, await AppealAsync("ana"));
        // Before those that never were decided.
        var queue = await fixture.List.ListAsync(new HoldFilter([HoldFixture.Realm], HoldState.Held), 10, Token);
        Assert.Equal(["ana", "bob"], queue.Select(hold => hold.AccountId));
        Assert.Contains("I am one person", queue[0].Appeal!, StringComparison.Ordinal);
        Assert.Contains("because", queue[0].Appeal!, StringComparison.Ordinal);
        // It is held, not free: no evaluation pays it.
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        Assert.Equal(1m, await fixture.BalanceAsync("ana"));
        Assert.Equal(DecisionOutcome.Changed, await fixture.DecideAsync(id, HoldState.Approved, 1));
        Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(id, HoldState.Rejected));
        Assert.Equal(AppealOutcome.AlreadyAppealed, await AppealAsync("ana"));

        Task<AppealOutcome> AppealAsync(string user) => fixture.Book.AppealAsync(user, "welcome", "I am one person.", Token);
    }

    [Fact]
    public async Task An_appeal_that_is_heard_is_paid_and_one_that_waits_pays_nothing()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        var ana = await fixture.HoldAsync("ana", change: hold => hold with { LapseApproves = true });
        var bob = await fixture.HoldAsync("bob", change: hold => hold with { LapseApproves = true });
        foreach (var (id, user) in ((Guid, string)[])[(ana, "ana"), (bob, "bob")])
        {
            await fixture.DecideAsync(id, HoldState.Rejected);
            Assert.Equal(AppealOutcome.Done, await fixture.Book.AppealAsync(user, "welcome", "Please.", Token));
        }

        Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(ana, HoldState.Approved));
        Assert.Equal(AppealOutcome.Approved, await OnceMoreAsync());
        fixture.Time.Advance(TimeSpan.FromDays(15));
        await fixture.Book.LapseAsync(Token);
        Assert.Equal(["ana welcome 4.00 approved operator", "bob welcome 4.00 lapsed time"], await fixture.HoldsAsync());
        Assert.Equal((5m, 1m), (await fixture.BalanceAsync("ana"), await fixture.BalanceAsync("bob")));

        async Task<AppealOutcome> OnceMoreAsync()
        {
            await fixture.Database.ExecuteAsync("update grant_holds set appealed_at = null where state = 'approved'");
            return await fixture.Book.AppealAsync("ana", "welcome", "Again.", Token);
        }
    }

    [Fact]
    public async Task What_is_refused_at_once_can_be_appealed_too()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        await fixture.HoldAsync("ana", change: hold => hold with { IsRefused = true, Score = 90 });
        Assert.Equal(["ana welcome 4.00 rejected score"], await fixture.HoldsAsync());
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        Assert.Equal(1m, await fixture.BalanceAsync("ana"));
        Assert.Equal(AppealOutcome.Done, await fixture.Book.AppealAsync("ana", "welcome", "Please.", Token));
    }

    [Fact]
    public async Task A_forgotten_address_leaves_no_hash_in_a_hold()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        await fixture.HoldAsync("ana");
        await fixture.HoldAsync("bob");
        var keys = fixture.Services.GetRequiredService<ClaimKeys>();
        await fixture.Services.GetRequiredService<ClaimStore>().ForgetAsync(
            keys.AllOf("Ana@example.com"), "operator", fixture.Time.GetUtcNow(), Token);
        Assert.Equal(["bob"], await fixture.Database.QueryAsync<string>("select user_id from grant_holds where claims <> '[]'"));
    }

    [Fact]
    public async Task Signals_that_operators_overturn_are_told_apart_from_those_they_confirm()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        foreach (var user in (string[])["a", "b", "c"])
            await fixture.DecideAsync(await fixture.HoldAsync(user), user == "c" ? HoldState.Rejected : HoldState.Approved);
        await fixture.DecideAsync(await fixture.HoldAsync("d"), HoldState.Approved, by: HoldBook.ByTime);
        // A signal that could not speak is not to blame.
        Assert.Equal([new OverturnedSignal("same_inbox", 3, 2)], await fixture.List.OverturnedAsync(Start, Token));
    }
}
