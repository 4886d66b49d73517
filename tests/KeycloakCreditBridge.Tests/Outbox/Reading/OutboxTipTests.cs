using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json.Nodes;
using Dapper;
using KeycloakCreditBridge.Outbox.Reading;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Outbox.Reading;

/// <summary>Every committed event is read once, and those of one account in the order of its changes.</summary>
[SuppressMessage("Security", "CA5394", Justification = "A test that is repeated has to make the same changes.")]
public sealed class OutboxTipTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_event_whose_transaction_is_open_is_not_passed()
    {
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        var tip = new OutboxTip(fixture.Store);
        await fixture.OpenAsync(count: 2);
        Assert.Equal(2, await AdvanceAsync(tip, 2));
        await using var slow = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await slow.BeginTransactionAsync(Token);
        await slow.ExecuteAsync("update user_credits set status = 'held' where user_id = 'user-1'");
        await fixture.Database.ExecuteAsync("update user_credits set status = 'closed' where user_id = 'user-2'");
        for (var reading = 0; reading < 5; reading++)
            Assert.Equal(2, await tip.AdvanceAsync(Token));
        await transaction.CommitAsync(Token);
        Assert.Equal(4, await AdvanceAsync(tip, 4));
        Assert.Equal(
            ["user-1 credits.account.held", "user-2 credits.account.closed"],
            (await fixture.Store.NextAsync(2, 4, 10, Token)).Select(read => $"{read.AccountId} {read.Type}"));
    }

    // The transaction that changed the account last began first, so that the order of transactions is not that of the account.
    [Fact]
    public async Task The_order_of_an_account_is_kept_although_its_transactions_began_in_another_one()
    {
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.OpenAsync();
        await using var first = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using var began = await first.BeginTransactionAsync(Token);
        await first.ExecuteAsync("select pg_current_xact_id()");
        await fixture.Database.ExecuteAsync("update user_credits set status = 'held'");
        await first.ExecuteAsync("update user_credits set status = 'active'");
        var tip = new OutboxTip(fixture.Store);
        await tip.AdvanceAsync(Token);
        await began.CommitAsync(Token);
        await AdvanceAsync(tip, 3);
        Assert.Equal(
            ["credits.account.opened", "credits.account.held", "credits.account.reopened"],
            (await fixture.Store.NextAsync(0, tip.Last, 10, Token)).Select(read => read.Type));
    }

    [Fact]
    public async Task A_reader_beside_writers_misses_nothing_and_keeps_the_order_of_each_account()
    {
        const int Accounts = 5;
        var changes = Effort.Times(60);
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.OpenAsync(Accounts, balance: 0m);
        var writers = Task.WhenAll(
            Enumerable.Range(0, 6).Select(writer => Task.Run(() => WriteAsync(fixture, new Random(writer), changes))));
        var tip = new OutboxTip(fixture.Store);
        List<(string Account, long Number)> read = [];
        var position = 0L;
        while (true)
        {
            var isOver = writers.IsCompleted;
            var last = await tip.AdvanceAsync(Token);
            foreach (var one in await fixture.Store.NextAsync(position, last, 1_000, Token))
            {
                position = one.Seq;
                if (one.Type == "tier.switched")
                    read.Add((one.AccountId, long.Parse(Json(one.Data), CultureInfo.InvariantCulture)));
            }

            if (isOver && position == await fixture.Database.ScalarAsync<long>("select max(seq) from outbox"))
                break;
        }

        await writers;
        Assert.Equal(await fixture.Database.ScalarAsync<int>("select sum(tier::int)::int from user_credits"), read.Count);
        foreach (var account in read.GroupBy(one => one.Account))
            Assert.Equal(Enumerable.Range(1, account.Count()).Select(number => (long)number), account.Select(one => one.Number));

        static string Json(string data) => (string)JsonNode.Parse(data)!["to"]!;
    }

    [Fact]
    public async Task Old_events_are_deleted_and_newer_ones_kept()
    {
        await using var fixture = await OutboxFixture.StartAsync(postgres);
        await fixture.OpenAsync(count: 5);
        await fixture.Database.ExecuteAsync("update outbox set at = at - interval '8 days' where seq <= 3");
        var before = DateTimeOffset.UtcNow.AddDays(-7);
        Assert.Equal(2, await fixture.Store.PurgeAsync(before, 2, Token));
        Assert.Equal(1, await fixture.Store.PurgeAsync(before, 2, Token));
        Assert.Equal(0, await fixture.Store.PurgeAsync(before, 2, Token));
        Assert.Equal([4L, 5L], await fixture.Database.QueryAsync<long>("select seq from outbox order by seq"));
    }

    // A tier is the number of the account's change.
    private static async Task WriteAsync(OutboxFixture fixture, Random random, int changes)
    {
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        for (var change = 0; change < changes; change++)
        {
            await using var transaction = await connection.BeginTransactionAsync(Token);
            if (random.Next(3) == 0)
                await connection.ExecuteAsync("select pg_current_xact_id()");
            await connection.ExecuteAsync(
                """
                update user_credits set tier = case tier when 'trial' then '1' else (tier::int + 1)::text end where user_id = @Account
                """,
                new { Account = $"user-{random.Next(5) + 1}" });
            if (random.Next(4) == 0)
                await connection.ExecuteAsync("select pg_sleep(0.002)");
            await (random.Next(5) == 0 ? transaction.RollbackAsync(Token) : transaction.CommitAsync(Token));
        }
    }

    // Transactions of other tests on the same server are waited for too.
    private static async Task<long> AdvanceAsync(OutboxTip tip, long expected)
    {
        await Eventually.TrueAsync(async () => await tip.AdvanceAsync(Token) >= expected, $"place {expected} is known");
        return tip.Last;
    }
}
