using System.Diagnostics.Metrics;
using Dapper;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.InUse;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Grants;

/// <summary>Accounts with grants in a database of the test's own, and the engine with the test's time for ends.</summary>
internal sealed class GrantFixture : IAsyncDisposable
{
    public static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private const string AccountSql =
        """
        insert into user_credits (user_id, credits_remaining, credits_allocated, tier, created_at, updated_at)
        values (@Id, 0, 0, 'trial', @At, @At)
        """;

    private const string SpendSql =
        """
        with c as (
            update user_credits c set credits_remaining = c.credits_remaining - @Amount,
                updated_at = credit_booking_time(@At::timestamptz, c.updated_at)
            where user_id = @Id returning *)
        insert into credit_transactions (user_id, amount, balance_after, transaction_type, created_at)
        select user_id, -@Amount, credits_remaining, 'usage', updated_at from c returning id
        """;

    private readonly Meter _meter = new("tests");

    /// <param name="database">It is disposed of with the fixture.</param>
    /// <param name="now">The time at the beginning.</param>
    public GrantFixture(TestDatabase database, DateTimeOffset? now = null)
    {
        Database = database;
        Time = new ManualTimeProvider(now ?? Start);
        Booking = new LotBooking(
            database.DataSource, new GrantClock(() => Time.GetUtcNow()), new GrantsMetrics(_meter), Time);
        Book = new GrantBook(
            database.DataSource, Booking, new LotsInUse(database.DataSource, Options.Create(new GrantsOptions())), Time);
    }

    public TestDatabase Database { get; }

    public ManualTimeProvider Time { get; }

    public LotBooking Booking { get; }

    public GrantBook Book { get; }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<GrantFixture> CreateAsync(PostgresFixture postgres) => new(await postgres.CreateDatabaseAsync());

    public Task OpenAsync(string id) => Database.ExecuteAsync(AccountSql, new { Id = id, At = Time.GetUtcNow() });

    /// <summary>Gives a grant that ends after some days.</summary>
    public async Task GiveAsync(string id, string key, decimal amount, double? days = null, int priority = 50, bool paid = false)
    {
        await using var connection = await Database.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await GrantStore.GiveAsync(
            connection,
            [
                new NewGrant(id, key, amount, "bonus", "{}", new GrantStamp(
                    paid ? GrantCategory.Paid : GrantCategory.Promotional, priority,
                    days is { } some ? Time.GetUtcNow().AddDays(some) : null)),
            ],
            Time.GetUtcNow(), Token);
        await transaction.CommitAsync(Token);
    }

    /// <summary>Uses credits without asking whether they suffice.</summary>
    public async Task<Guid> SpendAsync(string id, decimal amount) => await Database.ScalarAsync<Guid>(
        SpendSql, new { Id = id, Amount = amount, At = Time.GetUtcNow() });

    /// <summary>Each grant as `key left`, and what is left in all.</summary>
    public async Task<string> ShownAsync(string id)
    {
        var grants = (await Book.ListAsync(id, Token))!;
        return string.Join(", ", grants.Grants.Select(grant => $"{grant.Key} {grant.Remainder:0.##}"))
            + $" = {grants.Balance:0.##}" + (grants.Debt > 0m ? $" debt {grants.Debt:0.##}" : "");
    }

    public async Task<string> LedgerAsync(string id) => (await Database.ScalarAsync<string>(
        "select string_agg(coalesce(grant_key, transaction_type) || ' ' || trim_scale(amount), ', ' order by created_at, id) "
            + "from credit_transactions where user_id = @Id",
        new { Id = id }))!;

    /// <summary>Both sums of every account: ledger and balance, lots less debt and balance.</summary>
    public async Task AssertSumsAsync()
    {
        Assert.Empty(await Database.QueryAsync<string>(
            "select c.user_id from user_credits c where c.credits_remaining <> "
                + "coalesce((select sum(t.amount) from credit_transactions t where t.user_id = c.user_id), 0)"));
        await using var connection = await Database.DataSource.OpenConnectionAsync(Token);
        LockedAccount[] accounts =
            [.. await connection.QueryAsync<LockedAccount>(
                "select user_id as account_id, credits_remaining as balance, now() as at from user_credits")];
        foreach (var (id, lots) in await LotStore.LoadAsync(connection, accounts, fromStart: true, Token))
            Assert.Equal(accounts.Single(account => account.AccountId == id).Balance, lots.Ledger.Balance);
    }

    public async ValueTask DisposeAsync()
    {
        await AssertSumsAsync();
        _meter.Dispose();
        await Database.DisposeAsync();
    }
}
