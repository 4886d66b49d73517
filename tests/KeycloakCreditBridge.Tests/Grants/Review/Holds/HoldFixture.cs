using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Provisioning;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Grants.Review.Holds;

/// <summary>
/// A bridge that is composed and not started, on a database and with a clock of the test's own: the test says what Keycloak shows.
/// </summary>
internal sealed class HoldFixture : IAsyncDisposable
{
    public const string Realm = AccountFixture.Realm;

    public static readonly DateTimeOffset Begin = AccountFixture.Start.AddDays(2);

    private static readonly Uri NoKeycloak = new("http://127.0.0.1:1");

    private readonly BridgeFixture _bridge;

    private readonly bool _isFirst;

    private HoldFixture(
        TestDatabase database, (string Key, string? Value)[] settings, bool isFirst = true, string? connectionString = null)
    {
        (Database, _isFirst) = (database, isFirst);
        var all = BridgeFixture.Settings(connectionString ?? database.ConnectionString, NoKeycloak);
        all["Keycloak:Realms:0:Name"] = Realm;
        all["Provisioning:SignupGrant:EmailKey"] = new string('k', 32);
        _bridge = BridgeFixture.Build(all, Time, settings);
    }

    public TestDatabase Database { get; }

    // Users registered before: their registrations are too old to be asked for.
    public ManualTimeProvider Time { get; } = new(Begin);

    public IServiceProvider Services => _bridge.Services;

    public HoldBook Book => Services.GetRequiredService<HoldBook>();

    public HoldListStore List => Services.GetRequiredService<HoldListStore>();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>A welcome of 5 credits, of which 4 wait for a verified address.</summary>
    public static async Task<HoldFixture> CreateAsync(PostgresFixture postgres, params (string Key, string? Value)[] more) => new(
        await postgres.CreateDatabaseAsync(),
        [
            ("Grants:Welcome:Credits", "5"), ("Grants:Welcome:Before", "1"), ("Grants:Welcome:Requires:0", "email_verified"), .. more,
        ]);

    /// <summary>Nothing but these settings.</summary>
    public static async Task<HoldFixture> CreatePlainAsync(PostgresFixture postgres, params (string Key, string? Value)[] settings) =>
        new(await postgres.CreateDatabaseAsync(), settings);

    /// <summary>The same database under other settings.</summary>
    public HoldFixture Restart(params (string Key, string? Value)[] settings) => new(Database, settings, isFirst: false);

    /// <summary>The same database by another way.</summary>
    public HoldFixture Through(string connectionString) => new(Database, [], isFirst: false, connectionString);

    /// <summary>Converges users to what Keycloak shows of them, a second later.</summary>
    public async Task ReadAsync(params Subject[] users)
    {
        Time.Advance(TimeSpan.FromSeconds(1));
        await ConvergeAsync(users);
    }

    /// <summary>The same at this moment.</summary>
    public async Task ConvergeAsync(params Subject[] users)
    {
        var policy = Services.GetRequiredService<Hot<GrantPolicy>>().Current;
        var result = await Services.GetRequiredService<Provisioner>().ConvergeAsync(
            [.. users.Select(user => policy.Evaluate(user, Time.GetUtcNow(), HintSources.Webhook))], Token);
        Assert.Empty(result.Refusals);
    }

    /// <summary>Opens an account whose address is not verified, and holds its welcome back.</summary>
    public async Task<Guid> HoldAsync(
        string user, string? address = null, Func<NewHold, NewHold>? change = null, HoldTerms? terms = null)
    {
        await ReadAsync(AccountFixture.Unverified(user, address ?? $"{user}@example.com"));
        return await OpenAsync(user, address ?? $"{user}@example.com", change, terms);
    }

    /// <summary>Holds a grant of an account back.</summary>
    public async Task<Guid> OpenAsync(string user, string? address, Func<NewHold, NewHold>? change = null, HoldTerms? terms = null)
    {
        var claim = Services.GetRequiredService<ClaimKeys>().Of(OncePer.Inbox, address);
        var hold = new NewHold(
            Realm, user, "welcome", "welcome", "v1", 4m, terms ?? new HoldTerms(HintSources.Webhook, null), claim, 45,
            """[{"signal":"same_inbox","score":40},{"signal":"network_hour","score":0,"missing":"no_event"}]""", IsRefused: false,
            TimeSpan.FromDays(14), LapseApproves: false);
        await using var connection = await Database.DataSource.OpenConnectionAsync(Token);
        return Assert.Single(await HoldStore.OpenAsync(connection, [change?.Invoke(hold) ?? hold], Time.GetUtcNow(), Token)).Id;
    }

    public async Task<DecisionOutcome> DecideAsync(Guid id, HoldState to, int? version = null, string by = "operator") =>
        (await Book.DecideAsync(
            new HoldDecision(id, version ?? (await FindAsync(id)).Version, to, by, "because"), [Realm], Token)).Outcome;

    public async Task<ListedHold> FindAsync(Guid id) => (await List.FindAsync(id, [Realm], Token))!;

    /// <summary>`grant state decided_by`, the oldest first.</summary>
    public Task<IReadOnlyList<string>> HoldsAsync() => Database.QueryAsync<string>(
        "select concat_ws(' ', user_id, grant_key, credits::numeric(9, 2), state, decided_by) from grant_holds order by held_at, user_id");

    /// <summary>`account key amount`, in the order of booking.</summary>
    public Task<IReadOnlyList<string>> LedgerAsync() => Database.QueryAsync<string>(
        """
        select concat_ws(' ', user_id, grant_key, amount::numeric(9, 2)) from credit_transactions
        order by user_id collate "C", created_at, grant_key
        """);

    public Task<decimal> BalanceAsync(string account) =>
        Database.ScalarAsync<decimal>("select credits_remaining from user_credits where user_id = @Id", new { Id = account });

    public async ValueTask DisposeAsync()
    {
        await _bridge.DisposeAsync();
        if (_isFirst)
            await Database.DisposeAsync();
    }
}
