using KeycloakCreditBridge.Grants.Budgets;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Budgets;

/// <summary>A policy never grants more than its budget, and a budget that is used up fails nothing.</summary>
public sealed class BudgetTests(PostgresFixture postgres)
{
    private static readonly DateTimeOffset Evening = new(2026, 3, 1, 23, 30, 0, TimeSpan.Zero);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Day")]
    [InlineData("Total")]
    public async Task Many_at_once_take_exactly_the_budget(string per)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var budget = new Budget(20m, Enum.Parse<BudgetPeriod>(per));
        var taken = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => TakeAsync(database, budget, 1.5m, Evening)));
        Assert.Equal(13, taken.Count(isTaken => isTaken));
        Assert.True(await TakeAsync(database, budget, 0.5m, Evening));
        Assert.False(await TakeAsync(database, budget, 0.000001m, Evening));
        Assert.Equal(20m, await GivenAsync(database, budget, Evening));
    }

    [Fact]
    public async Task A_day_s_budget_begins_anew_at_midnight_in_UTC_and_a_total_never()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var (daily, total) = (new Budget(5m, BudgetPeriod.Day), new Budget(5m, BudgetPeriod.Total));
        Assert.True(await TakeAsync(database, daily, 5m, Evening));
        Assert.True(await TakeAsync(database, total, 5m, Evening));
        Assert.False(await TakeAsync(database, daily, 1m, Evening.AddMinutes(29)));
        Assert.True(await TakeAsync(database, daily, 1m, Evening.AddMinutes(30)));
        Assert.False(await TakeAsync(database, total, 1m, Evening.AddDays(400)));
    }

    [Fact]
    public async Task What_is_more_than_the_budget_is_refused_and_leaves_it_whole()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var budget = new Budget(5m, BudgetPeriod.Day);
        Assert.False(await TakeAsync(database, budget, 6m, Evening));
        Assert.Equal(0m, await GivenAsync(database, budget, Evening));
        Assert.True(await TakeAsync(database, budget, 5m, Evening));
    }

    [Fact]
    public async Task A_transaction_that_fails_takes_nothing()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var budget = new Budget(5m, BudgetPeriod.Day);
        await using (var connection = await database.DataSource.OpenConnectionAsync(Token))
        {
            await using var transaction = await connection.BeginTransactionAsync(Token);
            Assert.True(await BudgetStore.TakeAsync(connection, "task:mail", budget, 5m, Evening, Token));
        }

        Assert.True(await TakeAsync(database, budget, 5m, Evening));
    }

    [Fact]
    public async Task A_void_gives_back_on_the_day_of_the_grant_alone()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var budget = new Budget(5m, BudgetPeriod.Day);
        Assert.True(await TakeAsync(database, budget, 5m, Evening));
        await GiveBackAsync(Evening.AddDays(-1));
        Assert.Equal(5m, await GivenAsync(database, budget, Evening));
        await GiveBackAsync(Evening.AddHours(-23));
        Assert.Equal(3m, await GivenAsync(database, budget, Evening));
        Assert.True(await TakeAsync(database, budget, 2m, Evening));

        async Task GiveBackAsync(DateTimeOffset grantedAt)
        {
            await using var connection = await database.DataSource.OpenConnectionAsync(Token);
            await BudgetStore.GiveBackAsync(connection, "task:mail", BudgetPeriod.Day, 2m, grantedAt, Evening, Token);
        }
    }

    private static async Task<bool> TakeAsync(TestDatabase database, Budget budget, decimal amount, DateTimeOffset at)
    {
        await using var connection = await database.DataSource.OpenConnectionAsync(Token);
        return await BudgetStore.TakeAsync(connection, "task:mail", budget, amount, at, Token);
    }

    private static async Task<decimal> GivenAsync(TestDatabase database, Budget budget, DateTimeOffset at)
    {
        await using var connection = await database.DataSource.OpenConnectionAsync(Token);
        return await BudgetStore.GivenAsync(connection, "task:mail", budget.Per, at, Token);
    }
}
