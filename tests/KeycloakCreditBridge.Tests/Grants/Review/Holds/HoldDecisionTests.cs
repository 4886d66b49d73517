using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Grants.Review.Holds;

/// <summary>Operators approve and reject held grants.</summary>
public sealed class HoldDecisionTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Decisions_follow_a_hold_alone_and_an_appeal_a_refusal_alone() => Assert.Equal(
        [
            (HoldState.Held, HoldState.Approved), (HoldState.Held, HoldState.Rejected), (HoldState.Held, HoldState.Lapsed),
            (HoldState.Rejected, HoldState.Held), (HoldState.Lapsed, HoldState.Held),
        ],
        from one in Enum.GetValues<HoldState>()
        from other in Enum.GetValues<HoldState>()
        where HoldMoves.IsAllowed(one, other)
        select (one, other));

    [Fact]
    public async Task An_approval_pays_what_was_stamped_at_the_hold_and_its_end_counts_from_the_approval()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        var id = await fixture.HoldAsync(
            "ana", terms: new HoldTerms("webhook", TimeSpan.FromDays(30), Evidence: """{"email_verified":false}"""));
        await using var later = fixture.Restart(("Grants:Welcome:Credits", "90"), ("Grants:Welcome:Requires:0", "email_verified"));
        later.Time.Advance(TimeSpan.FromDays(5));
        Assert.Equal(DecisionOutcome.Done, await later.DecideAsync(id, HoldState.Approved));
        Assert.Equal(["ana signup 1.00", "ana welcome 4.00"], await fixture.LedgerAsync());
        Assert.Equal(5m, await fixture.BalanceAsync("ana"));
        Assert.Equal(
            $"{HoldFixture.Begin.AddDays(35):yyyy-MM-dd} v1 false",
            await fixture.Database.ScalarAsync<string>(
                """
                select to_char(expires_at at time zone 'UTC', 'YYYY-MM-DD') || ' ' || policy_version || ' '
                    || (evidence ->> 'email_verified')
                from credit_grants where grant_key = 'welcome'
                """));
        Assert.Equal("approved operator because 2", await fixture.Database.ScalarAsync<string>(
            "select concat_ws(' ', state, decided_by, note, version) from grant_holds"));
        Assert.Equal(
            ["credit.create", "credit.hold", "credit.welcome", "hold.approve"],
            (await fixture.Database.QueryAsync<string>("select action from audit_logs")).Order(StringComparer.Ordinal));
        // A later reading pays nothing more.
        await later.ReadAsync(User("ana", "ana@example.com"));
        Assert.Equal(5m, await fixture.BalanceAsync("ana"));
    }

    [Theory]
    [InlineData("held")]
    [InlineData("rejected")]
    [InlineData("lapsed")]
    public async Task No_evaluation_pays_what_is_held_or_refused_and_the_account_is_as_any_other(string state)
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        var id = await fixture.HoldAsync("ana");
        if (HoldMoves.Parse(state) is not HoldState.Held and var decided)
            Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(id, decided));
        for (var readings = 0; readings < 3; readings++)
            await fixture.ReadAsync(User("ana", "ana@example.com"));
        Assert.Equal(["ana signup 1.00"], await fixture.LedgerAsync());
        Assert.Equal("active", await fixture.Database.ScalarAsync<string>("select status from user_credits"));
    }

    [Fact]
    public async Task Each_pair_of_states_allows_what_the_table_says_and_a_stale_version_nothing()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        foreach (var from in Enum.GetValues<HoldState>())
        {
            foreach (var to in (HoldState[])[HoldState.Approved, HoldState.Rejected, HoldState.Lapsed])
            {
                var id = await fixture.HoldAsync($"user-{from}-{to}");
                if (from != HoldState.Held)
                    Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(id, from));
                var version = (await fixture.FindAsync(id)).Version;
                Assert.Equal(DecisionOutcome.Changed, await fixture.DecideAsync(id, to, version - 1));
                Assert.Equal(
                    HoldMoves.IsAllowed(from, to) ? DecisionOutcome.Done : DecisionOutcome.Changed,
                    await fixture.DecideAsync(id, to, version));
            }
        }

        Assert.Equal(DecisionOutcome.Unknown, await fixture.DecideAsync(Guid.NewGuid(), HoldState.Approved, 1));
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>(
            """
            select count(*)::int from grant_holds h
            where (h.state = 'approved') <> exists (
                    select from credit_transactions t where t.user_id = h.user_id and t.grant_key = h.grant_key)
                or (h.state in ('rejected', 'lapsed')) <> exists (
                    select from refused_grants r where r.user_id = h.user_id and r.grant_key = h.grant_key)
            """));
    }

    [Fact]
    public async Task Of_operators_who_decide_at_once_one_decides()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        for (var round = 0; round < 5; round++)
        {
            var user = $"user-{round}";
            var id = await fixture.HoldAsync(user);
            var outcomes = await Task.WhenAll(Enumerable.Range(0, 6).Select(number => Task.Run(
                () => fixture.DecideAsync(id, number % 2 == 0 ? HoldState.Approved : HoldState.Rejected, 1, $"operator-{number}"), Token)));
            Assert.Equal(1, outcomes.Count(outcome => outcome == DecisionOutcome.Done));
            Assert.Equal(5, outcomes.Count(outcome => outcome == DecisionOutcome.Changed));
            var isApproved = (await fixture.FindAsync(id)).State == "approved";
            Assert.Equal(isApproved ? 5m : 1m, await fixture.BalanceAsync(user));
        }
    }

    [Fact]
    public async Task An_approval_and_evaluations_at_once_pay_once()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        for (var round = 0; round < 5; round++)
        {
            var user = $"user-{round}";
            var id = await fixture.HoldAsync(user);
            await Task.WhenAll(
            [
                Task.Run(() => fixture.DecideAsync(id, HoldState.Approved, 1), Token),
                .. Enumerable.Range(0, 3).Select(_ => Task.Run(() => fixture.ReadAsync(User(user, $"{user}@example.com")), Token)),
            ]);
            Assert.Equal(5m, await fixture.BalanceAsync(user));
        }
    }

    [Fact]
    public async Task Of_two_held_accounts_of_one_inbox_the_second_approval_is_refused()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        var one = await fixture.HoldAsync("ana", "ana.b@gmail.com");
        var two = await fixture.HoldAsync("bob", "anab+2@googlemail.com");
        Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(one, HoldState.Approved));
        Assert.Equal(DecisionOutcome.InboxTaken, await fixture.DecideAsync(two, HoldState.Approved));
        Assert.Equal(["ana welcome 4.00 approved operator", "bob welcome 4.00 held"], await fixture.HoldsAsync());
        Assert.Equal(1m, await fixture.BalanceAsync("bob"));
        Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(two, HoldState.Rejected));
    }

    [Fact]
    public async Task A_budget_that_is_used_up_and_a_disabled_policy_leave_the_hold_open()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        var terms = new HoldTerms(
            "webhook", null, "partners", new(5m, KeycloakCreditBridge.Grants.Budgets.BudgetPeriod.Total));
        var one = await fixture.HoldAsync("ana", terms: terms);
        var two = await fixture.HoldAsync("bob", terms: terms);
        Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(one, HoldState.Approved));
        Assert.Equal(DecisionOutcome.BudgetUsedUp, await fixture.DecideAsync(two, HoldState.Approved));
        await fixture.Database.ExecuteAsync("update grant_policies set disabled_at = now()");
        Assert.Equal(DecisionOutcome.PolicyDisabled, await fixture.DecideAsync(two, HoldState.Approved));
        Assert.Equal(4m, await fixture.Database.ScalarAsync<decimal>("select given from grant_budgets"));
        Assert.Equal("held", (await fixture.FindAsync(two)).State);
    }

    [Fact]
    public async Task A_held_account_is_paid_when_it_is_active_again_and_a_closed_one_never()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        var id = await fixture.HoldAsync("ana");
        await fixture.ReadAsync(Unverified("ana") with { Enabled = false });
        Assert.Equal(DecisionOutcome.AccountNotActive, await fixture.DecideAsync(id, HoldState.Approved));
        await fixture.ReadAsync(Unverified("ana"));
        await fixture.Database.ExecuteAsync("update user_credits set status = 'closed'");
        Assert.Equal(DecisionOutcome.AccountNotActive, await fixture.DecideAsync(id, HoldState.Approved));
        await fixture.Database.ExecuteAsync("update user_credits set status = 'active'");
        Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(id, HoldState.Approved));
    }

    [Fact]
    public async Task Many_are_decided_by_what_they_have_in_common_once_their_number_is_confirmed()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        foreach (var user in (string[])["a", "b", "c"])
            await fixture.HoldAsync(user);
        await fixture.HoldAsync("low", change: hold => hold with { Score = 41 });
        await fixture.HoldAsync("d", "a@example.com");
        var bulk = new HoldBulk(fixture.List, fixture.Book);
        var order = new BulkDecision(
            new HoldFilter([HoldFixture.Realm]) { Signal = "same_inbox", AtLeast = 45 }, HoldState.Approved, null, "operator");
        Assert.Equal((4L, 16m, 0), Shown(await bulk.DecideAsync(order, Token)));
        Assert.Equal((4L, 16m, 0), Shown(await bulk.DecideAsync(order with { Confirmed = 3 }, Token)));
        var done = await bulk.DecideAsync(order with { Confirmed = 4 }, Token);
        Assert.Equal((4L, 16m, 3), Shown(done));
        Assert.Equal(("d", DecisionOutcome.InboxTaken), (done.Left.Single().AccountId, done.Left.Single().Outcome));
        Assert.Equal(2, await fixture.List.CountAsync(new HoldFilter([HoldFixture.Realm], HoldState.Held), Token));
        Assert.Equal(0, await fixture.List.CountAsync(new HoldFilter(["elsewhere"]), Token));

        static (long Count, decimal Credits, int Done) Shown(BulkResult result) => (result.Count, result.Credits, result.Done);
    }
}
