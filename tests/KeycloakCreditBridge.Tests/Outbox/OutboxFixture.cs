using KeycloakCreditBridge.Outbox.Reading;
using KeycloakCreditBridge.Outbox.Recording;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Outbox;

/// <summary>A database that records events: a balance of the tier trial is low at 2.</summary>
internal sealed class OutboxFixture(TestDatabase database) : IAsyncDisposable
{
    private const string OpenSql =
        """
        insert into user_credits (user_id, credits_remaining, credits_allocated, tier, last_reset)
        select 'user-' || n, @Balance, @Balance, 'trial', now() + interval '1 day' from generate_series(1, @Count) n
        """;

    public TestDatabase Database => database;

    public EventSwitchStore Switch { get; } = new(database.DataSource);

    public OutboxStore Store { get; } = new(database.DataSource);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<OutboxFixture> StartAsync(PostgresFixture postgres)
    {
        var fixture = new OutboxFixture(await postgres.CreateDatabaseAsync());
        Assert.True(await fixture.Switch.SwitchAsync(new Dictionary<string, decimal> { ["trial"] = 2m }, Token));
        return fixture;
    }

    /// <summary>Opens accounts `user-1` and so on, as another program does.</summary>
    public Task<int> OpenAsync(int count = 1, decimal balance = 5m) => database.ExecuteAsync(OpenSql, new { Count = count, Balance = balance });

    /// <summary>Takes credits, as another program does.</summary>
    public Task<int> TakeAsync(decimal amount, string account = "user-1") => database.ExecuteAsync(
        "update user_credits set credits_remaining = credits_remaining - @amount where user_id = @account", new { amount, account });

    /// <summary>The types of an account's events, in their order.</summary>
    public Task<IReadOnlyList<string>> TypesAsync(string account = "user-1") =>
        database.QueryAsync<string>("select type from outbox where account_id = @account order by seq", new { account });

    /// <summary>The data of the newest event of a type.</summary>
    public Task<string?> DataAsync(string type) =>
        database.ScalarAsync<string>("select data::text from outbox where type = @type order by seq desc limit 1", new { type });

    public ValueTask DisposeAsync() => database.DisposeAsync();
}
