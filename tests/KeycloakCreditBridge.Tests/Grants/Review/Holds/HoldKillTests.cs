using KeycloakCreditBridge.Grants.Budgets;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Tests.Faults.Commits;
using KeycloakCreditBridge.Tests.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Grants.Review.Holds;

/// <summary>An approval whose session is cut, at each table that it writes and before it hears of its commit.</summary>
public sealed class HoldKillTests(PostgresFixture postgres)
{
    // The session that writes is ended, and nothing of its transaction stands.
    private const string CutSql =
        """
        create function cut() returns trigger language plpgsql as $$
        begin
            perform pg_terminate_backend(pg_backend_pid());
            perform pg_sleep(600);
            return new;
        end $$;
        """;

    private const string StateSql =
        """
        select h.state || ' ' || trim_scale(c.credits_remaining) || ' '
            || (select count(*) from credit_transactions t where t.grant_key = 'welcome') || ' '
            || (select count(*) from grant_claims where policy = 'welcome') || ' '
            || (select trim_scale(coalesce(sum(given), 0)) from grant_budgets) || ' '
            || (select count(*) from audit_logs where action in ('hold.approve', 'credit.welcome'))
        from grant_holds h
        join user_credits c on c.user_id = h.user_id
        """;

    private static readonly HoldTerms Limited = new("webhook", null, "partners", new Budget(20m, BudgetPeriod.Total));

    [Theory]
    [InlineData("before update on grant_holds")]
    [InlineData("after update on grant_holds")]
    [InlineData("before insert on grant_claims")]
    [InlineData("before update on user_credits")]
    [InlineData("before insert on credit_transactions")]
    [InlineData("before insert on grant_budgets")]
    [InlineData("after insert on audit_logs")]
    [InlineData("commit")]
    public async Task An_approval_that_is_cut_has_done_nothing_and_its_repetition_pays_once(string at)
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        var id = await fixture.HoldAsync("ana", terms: Limited);
        const string before = "held 1 0 0 0 0";
        Assert.Equal(before, await fixture.Database.ScalarAsync<string>(StateSql));
        await fixture.Database.ExecuteAsync(CutSql + (at == "commit"
            ? "create constraint trigger cut after update on grant_holds deferrable initially deferred for each row execute function cut()"
            : $"create trigger cut {at} for each row execute function cut()"));
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => fixture.DecideAsync(id, HoldState.Approved, 1));
        Assert.Equal(before, await fixture.Database.ScalarAsync<string>(StateSql));

        await fixture.Database.ExecuteAsync("drop function cut cascade");
        Assert.Equal(DecisionOutcome.Done, await fixture.DecideAsync(id, HoldState.Approved, 1));
        await AssertPaidOnceAsync(fixture, id);
    }

    [Fact]
    public async Task An_approval_that_committed_unheard_is_refused_the_second_time_and_pays_nothing_more()
    {
        await using var fixture = await HoldFixture.CreateAsync(postgres);
        var id = await fixture.HoldAsync("ana", terms: Limited);
        await using var trap = new CommitTrap(fixture.Database.ConnectionString, "update grant_holds h set state =");
        await using var cut = fixture.Through(trap.ConnectionString);
        var deciding = cut.DecideAsync(id, HoldState.Approved, 1);
        await trap.Sprung.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        await trap.DisposeAsync();
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => deciding);
        await AssertPaidOnceAsync(fixture, id);
    }

    private static async Task AssertPaidOnceAsync(HoldFixture fixture, Guid id)
    {
        // A budget has a row a day or in all, and the claim stands with the address.
        const string after = "approved 5 1 2 4 2";
        Assert.Equal(after, await fixture.Database.ScalarAsync<string>(StateSql));
        foreach (var to in (HoldState[])[HoldState.Approved, HoldState.Rejected])
            Assert.Equal(DecisionOutcome.Changed, await fixture.DecideAsync(id, to, 1));
        Assert.Equal(after, await fixture.Database.ScalarAsync<string>(StateSql));
    }
}
