using KeycloakCreditBridge.Doctor;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Grants.Sweep;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Doctor;

public sealed class GrantChecksTests(PostgresFixture postgres)
{
    private const string AddSql =
        """
        insert into user_credits (user_id, tier, credits_remaining, credits_allocated, created_at, updated_at, status, source, next_expiry)
        values ('ana', 'trial', @Balance, 5, now(), now(), 'active', @Source, now() - @Late::interval);
        insert into credit_transactions (user_id, amount, balance_after, transaction_type, created_at, grant_key)
        values ('ana', 5, 5, 'purchase', now(), 'signup')
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(10, "Ok", "swept in time")]
    [InlineData(20, "Warn", "ended credits of 1 accounts are not booked out")]
    public async Task A_sweep_that_is_late_is_found(int minutes, string verdict, string says)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await AddAsync(database, late: TimeSpan.FromMinutes(minutes));
        var finding = await Checks(database).SweepAsync(Token);
        Assert.Equal(verdict, $"{finding.Verdict}");
        Assert.Contains(says, finding.Message, StringComparison.Ordinal);
        await database.ExecuteAsync("update user_credits set status = 'closed'");
        Assert.Equal("no ended credits wait", (await Checks(database).SweepAsync(Token)).Message);
    }

    [Fact]
    public async Task A_balance_that_is_not_the_sum_of_its_ledger_is_found_unless_it_is_older_than_the_bridge()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await AddAsync(database, balance: 6m, source: null);
        Assert.Equal(Verdict.Ok, (await Checks(database).SumsAsync(Token)).Verdict);
        await database.ExecuteAsync("update user_credits set source = 'poll'");
        var finding = await Checks(database).SumsAsync(Token);
        Assert.Equal(Verdict.Fail, finding.Verdict);
        Assert.Contains("1 accounts are not the sums of their ledgers, such as ana", finding.Message, StringComparison.Ordinal);
        await database.ExecuteAsync("update user_credits set source = null");
    }

    [Fact]
    public async Task A_checkpoint_that_differs_from_the_ledger_is_found()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await AddAsync(database);
        await KeepAsync(left: 5m);
        Assert.Equal(Verdict.Ok, (await Checks(database).CheckpointsAsync(Token)).Verdict);
        await KeepAsync(left: 4m);
        var finding = await Checks(database).CheckpointsAsync(Token);
        Assert.Equal(Verdict.Fail, finding.Verdict);
        Assert.Contains("such as ana", finding.Message, StringComparison.Ordinal);

        // As the lot is after the only row of the ledger.
        async Task KeepAsync(decimal left)
        {
            var (id, at) = (await database.QueryAsync<(Guid, DateTime)>("select id, created_at from credit_transactions"))[0];
            var state = new LotCheckpoint(
                0m, [new LotCheckpoint.Kept("signup", 5m, new DateTimeOffset(at), null, Lot.DefaultPriority, false, left, 0m, false)]);
            await database.ExecuteAsync(
                """
                insert into lot_checkpoints (user_id, booked_at, entry_id, state) values ('ana', @at, @id, @State::jsonb)
                on conflict (user_id) do update set state = excluded.state
                """,
                new { at, id, State = state.ToJson() });
        }
    }

    private static Task<int> AddAsync(
        TestDatabase database, decimal balance = 5m, string? source = null, TimeSpan? late = null) =>
        database.ExecuteAsync(AddSql, new { Balance = balance, Source = source, Late = late });

    private static GrantChecks Checks(TestDatabase database) =>
        new(new SweepBacklogStore(database.DataSource, new GrantClock()), new LedgerCheckStore(database.DataSource));
}
