using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Awards;
using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.InUse;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Referrals;
using KeycloakCreditBridge.Grants.Referrals.Payments;
using KeycloakCreditBridge.Grants.Referrals.Touches;
using KeycloakCreditBridge.Grants.Review;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Grants.Referrals;

/// <summary>Accounts of the realm shop in a database of the test's own. The test says the time, and what Keycloak shows.</summary>
internal sealed class ReferralFixture : IAsyncDisposable
{
    public const string Realm = "shop";

    public static readonly DateTimeOffset Start = new(2026, 11, 1, 12, 0, 0, TimeSpan.Zero);

    private const string OpenSql =
        """
        insert into user_credits (user_id, realm, keycloak_id, credits_remaining, credits_allocated, tier, created_at, updated_at)
        values (@Id, 'shop', @Id, 100, 100, 'trial', @At, @At);
        insert into credit_transactions (user_id, amount, balance_after, transaction_type, created_at, grant_key)
        values (@Id, 100, 100, 'purchase', @At, 'signup');
        insert into keycloak_users (realm, keycloak_id, account_id, user_state, created_at, checked_at)
        values ('shop', @Id, @Id, 'account', @At, @At)
        """;

    private const string BookSql =
        """
        with c as (
            update user_credits c set credits_remaining = c.credits_remaining + @Amount,
                updated_at = credit_booking_time(@At::timestamptz, c.updated_at)
            where user_id = @Id returning *)
        insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at)
        select user_id, @Amount, credits_remaining, @Type, jsonb_build_object('by', @By::text), updated_at from c
        """;

    private static readonly ClaimKeys Keys = new(new string('k', 32), [], new InboxRules());

    private readonly Meter _meter = new("tests");
    private readonly ConcurrentDictionary<string, (bool IsVerified, string Inbox)> _users;
    private readonly ConcurrentDictionary<string, bool> _suspects;
    private readonly ConcurrentDictionary<string, string> _identities;
    private readonly ReferralFixture? _first;
    private readonly ReferralOptions _options;

    private ReferralFixture(TestDatabase database, ReferralOptions? options, ReferralFixture? first = null)
    {
        (Database, _first) = (database, first);
        _options = options ?? new ReferralOptions { ReferrerCredits = 5m, RefereeCredits = 3m };
        _users = first?._users ?? new(StringComparer.Ordinal);
        _suspects = first?._suspects ?? new(StringComparer.Ordinal);
        _identities = first?._identities ?? new(StringComparer.Ordinal);
        Time = first?.Time ?? new ManualTimeProvider(Start);
        var grants = new GrantsOptions { Referrals = _options };
        Rules = new ReferralRules(Options.Create(grants));
        var metrics = new ReferralMetrics(_meter, Hot.Of(Rules));
        Ends = new GrantClock(() => Time.GetUtcNow());
        var booking = new LotBooking(database.DataSource, Ends, new GrantsMetrics(_meter), Time);
        var ends = new GrantEnds(
            Options.Create(grants), Ends, booking, new LotsInUse(database.DataSource, Options.Create(grants)));
        Codes = new ReferralCodeStore(database.DataSource);
        Touches = new TouchStore(database.DataSource, metrics);
        Book = new ReferralBook(database.DataSource, ends, metrics, Time);
        Reversal = new ReferralReversal(database.DataSource, booking, ends, metrics, Time);
        Holds = new HoldBook(
            database.DataSource, ends, new ReviewedReferralStore(Hot.Of(Rules), metrics),
            new PolicyMetrics(_meter, Options.Create(grants)),
            new HoldMetrics(_meter, Hot.Of(new FraudRules(Options.Create(grants)))), Time);
    }

    public TestDatabase Database { get; }

    public ManualTimeProvider Time { get; }

    public ReferralRules Rules { get; }

    public ReferralTerms Terms => Rules.Of(Realm)!;

    public ReferralCodeStore Codes { get; }

    public TouchStore Touches { get; }

    public ReferralBook Book { get; }

    public ReferralReversal Reversal { get; }

    public HoldBook Holds { get; }

    private GrantClock Ends { get; }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<ReferralFixture> StartAsync(PostgresFixture postgres, ReferralOptions? options = null)
    {
        var fixture = new ReferralFixture(await postgres.CreateDatabaseAsync(), options);
        await fixture.Database.ExecuteAsync(
            "insert into grant_policies (realm, policy, activated_at) values ('shop', 'referral', @At)", new { At = Start.AddDays(-100) });
        return fixture;
    }

    /// <summary>Another replica on this database, with the same clock and Keycloak. Its sessions are called `replica`.</summary>
    public ReferralFixture Replica() =>
        new(new TestDatabase($"{Database.ConnectionString};Application Name=replica"), _options, this);

    /// <summary>Opens an account a second later than the one before.</summary>
    public async Task OpenAsync(params string[] ids)
    {
        foreach (var id in ids)
        {
            Time.Advance(TimeSpan.FromSeconds(1));
            _users[id] = (true, $"{id}@example.com");
            await Database.ExecuteAsync(OpenSql, new { Id = id, At = Time.GetUtcNow() });
        }
    }

    /// <summary>What Keycloak shows of a user from now on.</summary>
    public void Show(string id, bool isVerified, string? inbox = null) => _users[id] = (isVerified, inbox ?? $"{id}@example.com");

    /// <summary>The user is linked to an identity provider.</summary>
    public void Link(string id, string subject) => _identities[id] = subject;

    /// <summary>A signal speaks against the user when what it is paid for a referral is due.</summary>
    public void Suspect(string id, bool isRefused = false) => _suspects[id] = isRefused;

    public async Task TouchAsync(string referrer, string referee) =>
        await Touches.TouchAsync(
            referee, (await Codes.OfAsync(referrer, Time.GetUtcNow(), Token))!, Time.GetUtcNow(), Token);

    /// <summary>Charges usage as a service.</summary>
    public Task SpendAsync(string id, decimal amount, string by = "crm") => BookAsync(id, -amount, "usage", by);

    public Task RefundAsync(string id, decimal amount) => BookAsync(id, amount, "refund", "admin");

    /// <summary>Evaluates all referrals that are due, with what Keycloak shows.</summary>
    public async Task EvaluateAsync()
    {
        var now = Time.GetUtcNow();
        await WakeStore.WakeAsync(Database.DataSource, ReferralTurn.First, now, Token);
        foreach (var due in await ReferralStore.ClaimAsync(Database.DataSource, now, TimeSpan.FromMinutes(2), 10_000, Token))
            await EvaluateAsync(due.Id);
    }

    public async Task EvaluateAsync(Guid id)
    {
        if (await Book.NextAsync(id, Terms, Token) is not var (facts, step))
            return;
        var users = step.AsksKeycloak
            ? new ReferralUsers(Shown(facts.ReferrerUser!), Shown(facts.RefereeUser!)) { Hold = HoldOf(facts.RefereeUser!) }
            : null;
        await Book.CarryOutAsync(id, users, Terms, Token);
    }

    /// <summary>From the code to the payment: the referee spends, and what qualified stands long enough.</summary>
    public async Task PayAsync(string referrer, string referee)
    {
        await TouchAsync(referrer, referee);
        await SpendAsync(referee, 1m);
        await EvaluateAsync();
        Time.Advance(Terms.Settle);
        await EvaluateAsync();
    }

    /// <summary>`referrer>referee state reason`, in the order of the referees.</summary>
    public Task<IReadOnlyList<string>> ReferralsAsync() => Database.QueryAsync<string>(
        "select concat_ws(' ', referrer || '>' || referee, state, reason) from referrals order by referee, touched_at, referrer");

    /// <summary>`account key amount` of all that referrals gave and took.</summary>
    public Task<IReadOnlyList<string>> GrantsAsync() => Database.QueryAsync<string>(
        """
        select user_id || ' ' || regexp_replace(grant_key, '[0-9a-f-]{36}', 'ID') || ' ' || trim_scale(amount) from credit_transactions
        where grant_key like '%referral:%' order by user_id, created_at
        """);

    public Task<Guid> IdOfAsync(string referee) => Database.ScalarAsync<Guid>(
        "select id from referrals where referee = @Referee and state <> 'refused'", new { Referee = referee });

    public async ValueTask DisposeAsync()
    {
        if (_first is not null)
        {
            _meter.Dispose();
            await Database.DataSource.DisposeAsync();
            return;
        }

        Assert.Empty(await Database.QueryAsync<string>(
            "select c.user_id from user_credits c where c.credits_remaining <> "
                + "(select sum(t.amount) from credit_transactions t where t.user_id = c.user_id)"));
        // One side alone is paid where the referrer had no place, and never otherwise.
        Assert.Empty(await Database.QueryAsync<string>(
            """
            select r.id::text from referrals r
            where (r.referrer_grant is null) <> (r.referee_grant is null) and r.state not in ('capped', 'reversed')
                or r.referrer_grant is not null and not exists (
                    select from credit_transactions t where t.user_id = r.referrer and t.grant_key = r.referrer_grant)
                or r.referee_grant is not null and not exists (
                    select from credit_transactions t where t.user_id = r.referee and t.grant_key = r.referee_grant)
            """));
        _meter.Dispose();
        await Database.DisposeAsync();
    }

    private NewHold? HoldOf(string id) => _suspects.TryGetValue(id, out var isRefused)
        ? new NewHold(
            Realm, id, ReferralTerms.ReceivedKey, ReferralTerms.Policy, Terms.Version, 0m, new HoldTerms("schedule", null),
            Shown(id)?.Claims[0], 45, """[{"signal":"same_inbox","score":45}]""", isRefused, TimeSpan.FromDays(14), LapseApproves: false)
        : null;

    private ReferralUser? Shown(string id) =>
        _users.TryGetValue(id, out var user)
            ? new ReferralUser(user.IsVerified, user.Inbox)
            {
                Claims = [
                    Keys.Of(OncePer.Inbox, user.Inbox)!,
                    .. _identities.TryGetValue(id, out var subject) ? [Keys.Identity(Realm, "google", subject)!] : Array.Empty<Claim>(),
                ],
            }
            : null;

    private Task<int> BookAsync(string id, decimal amount, string type, string by) =>
        Database.ExecuteAsync(BookSql, new { Id = id, Amount = amount, Type = type, By = by, At = Time.GetUtcNow() });
}
