using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Outbox;
using KeycloakCreditBridge.Outbox.Endpoints;
using KeycloakCreditBridge.Outbox.Reading;
using KeycloakCreditBridge.Outbox.Recording;
using KeycloakCreditBridge.Outbox.Sending;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Outbox;

/// <summary>A database that records events: a balance of the tier trial is low at 2.</summary>
internal sealed class OutboxFixture(TestDatabase database) : IAsyncDisposable
{
    public const string Sink = "crm";

    private const string OpenSql =
        """
        insert into user_credits (user_id, credits_remaining, credits_allocated, tier, last_reset)
        select 'user-' || n, @Balance, @Balance, 'trial', now() + interval '1 day' from generate_series(1, @Count) n
        """;

    private const string TakeSql =
        """
        with taken as (
            update user_credits set credits_remaining = credits_remaining - @amount where user_id = @account
            returning user_id, credits_remaining)
        insert into credit_transactions (user_id, amount, balance_after, transaction_type)
        select user_id, -@amount, credits_remaining, case when @amount > 0 then 'usage' else 'refund' end from taken
        """;

    private readonly Dictionary<EndpointSender, OutboxTip> _tips = [];
    private readonly List<IEventSink> _sinks = [];

    public TestDatabase Database => database;

    public EventSwitchStore Switch { get; } = new(database.DataSource);

    public EndpointStore Endpoints { get; } = new(database.DataSource);

    public ReplayStore Replays => new(database.DataSource, Clock);

    public ManualTimeProvider Clock { get; } = new(TimeProvider.System.GetUtcNow());

    public OutboxStore Store { get; } = new(database.DataSource);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<OutboxFixture> StartAsync(PostgresFixture postgres)
    {
        var fixture = new OutboxFixture(await postgres.CreateDatabaseAsync());
        Assert.True(await fixture.Switch.SwitchAsync(new Dictionary<string, decimal> { ["trial"] = 2m }, Token));
        return fixture;
    }

    /// <summary>Opens accounts `user-1` and so on, as another program does.</summary>
    public Task<int> OpenAsync(int count = 1, decimal balance = 5m) =>
        database.ExecuteAsync(OpenSql, new { Count = count, Balance = balance });

    /// <summary>Takes credits, as another program does.</summary>
    public Task<int> TakeAsync(decimal amount, string account = "user-1") => database.ExecuteAsync(TakeSql, new { amount, account });

    /// <summary>The types of an account's events, in their order.</summary>
    public Task<IReadOnlyList<string>> TypesAsync(string account = "user-1") =>
        database.QueryAsync<string>("select type from outbox where account_id = @account order by seq", new { account });

    /// <summary>The data of the newest event of a type.</summary>
    public Task<string?> DataAsync(string type) =>
        database.ScalarAsync<string>("select data::text from outbox where type = @type order by seq desc limit 1", new { type });

    /// <summary>Sends to a sink, as one more replica that has the lease. The fixture's clock decides what is due.</summary>
    public EndpointSender Sender(SinkFixture sink, int batch = 1, params string[] types)
    {
        var options = sink.Options(batch);
        options.Types = [.. types];
        return Sender(options);
    }

    /// <summary>The same to another kind of endpoint.</summary>
    public EndpointSender Sender(EndpointOptions options)
    {
        var events = EventSinks.Of(Sink, options, "/credit-bridge", Clock);
        _sinks.Add(events);
        var tip = new OutboxTip(Store);
        var sender = new EndpointSender(
            Sink, options, events, Endpoints, tip, new OutboxMetrics(new Meter("tests"), Options.Create(new OutboxOptions())), Clock,
            NullLogger.Instance);
        _tips.Add(sender, tip);
        return sender;
    }

    /// <summary>Makes the endpoint known before the first event.</summary>
    public Task KnowAsync() => Endpoints.AddAsync(Sink, Token);

    /// <summary>Sends until nothing is due, as far as the endpoint lets it.</summary>
    public async Task SendAsync(EndpointSender sender)
    {
        var last = await database.ScalarAsync<long>("select coalesce(max(seq), 0) from outbox");
        // Transactions of other tests on the same server hold events back too.
        await Eventually.TrueAsync(
            async () => await sender.RunAsync(Token) is { } pause ? pause > TimeSpan.Zero : _tips[sender].Last >= last, "all is sent");
    }

    public async Task<EndpointState> StateAsync() => (await Endpoints.StateAsync(Sink, Token))!;

    public ValueTask DisposeAsync()
    {
        _sinks.ForEach(sink => sink.Dispose());
        return database.DisposeAsync();
    }
}
