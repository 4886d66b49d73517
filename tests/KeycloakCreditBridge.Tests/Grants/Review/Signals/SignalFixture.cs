using System.Diagnostics.Metrics;
using System.Net;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Review;
using KeycloakCreditBridge.Grants.Review.Signals;
using KeycloakCreditBridge.Grants.Review.Signals.Addresses;
using KeycloakCreditBridge.Grants.Review.Signals.Domains;
using KeycloakCreditBridge.Grants.Review.Signals.Hashes;
using KeycloakCreditBridge.Grants.Review.Signals.Origins;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Grants.Review.Signals;

/// <summary>
/// Signals of realm shop in a database of the test's own. Users registered two days ago, so that Keycloak is not asked for their events:
/// the test says them.
/// </summary>
internal sealed class SignalFixture : IAsyncDisposable
{
    /// <summary>A realm without review.</summary>
    public const string Quiet = "quiet";

    public static readonly DateTimeOffset Now = new(2026, 11, 3, 12, 0, 0, TimeSpan.Zero);

    public static readonly DateTimeOffset Registered = Now.AddDays(-2);

    private readonly Meter _meter = new("tests");

    private SignalFixture(TestDatabase database, GrantsOptions options)
    {
        Database = database;
        Hasher = new SignalHasher(Options.Create(options));
        var rules = Hot.Of(new FraudRules(Options.Create(options)));
        Registrations = new RegistrationStore(database.DataSource);
        Origins = new OriginStore(database.DataSource, Hasher);
        Recorder = new OriginRecorder(Origins, rules, NullLogger<OriginRecorder>.Instance);
        Domains = new DisposableDomains(Hot.Of(options), Clock, NullLogger<DisposableDomains>.Instance)
        {
            ShippedFile = "/nowhere/at-all.json",
        };
        Assessor = new Assessor(
            Registrations, new CommonDomains(Registrations, Hasher, Clock), Domains, origins: null!, Hasher, rules,
            new SignalMetrics(_meter, rules), Clock, NullLogger<Assessor>.Instance);
    }

    public TestDatabase Database { get; }

    public ManualTimeProvider Clock { get; } = new(Now);

    public SignalHasher Hasher { get; }

    public RegistrationStore Registrations { get; }

    public OriginStore Origins { get; }

    public OriginRecorder Recorder { get; }

    public DisposableDomains Domains { get; }

    public Assessor Assessor { get; }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <param name="postgres">The server.</param>
    /// <param name="own">The operator's file of disposable domains; there is no other one.</param>
    public static async Task<SignalFixture> StartAsync(PostgresFixture postgres, string own = "") => new(
        await postgres.CreateDatabaseAsync(),
        new GrantsOptions
        {
            Fraud = new FraudOptions { Enabled = true, Key = new string('k', 32), Disposable = new DisposableOptions { File = own } },
            Realms = { [Quiet] = new RealmGrantsOptions { Fraud = new RealmFraudOptions() } },
        });

    /// <summary>The same database under another key.</summary>
    public SignalFixture Under(string key, params string[] previous) => new(
        new TestDatabase(Database.ConnectionString),
        new GrantsOptions { Fraud = new FraudOptions { Enabled = true, Key = key, PreviousKeys = [.. previous] } });

    /// <summary>A user of the realm, whose account has the same id.</summary>
    public static Candidate User(string id, string? email = null, double minutes = 0) => new(
        "shop", id, id, email ?? $"{id}@{id}.example", EmailVerified: true, Registered.AddMinutes(minutes), [], [], Invited: false);

    /// <summary>Signals that spoke of each user, in the order of the users.</summary>
    public async Task<string[]> SpokeAsync(params Candidate[] users)
    {
        var assessed = await Assessor.AssessAsync(users, Token);
        return [
            .. users.Select(user => string.Join(
                ' ', assessed[user.AccountId].Hits.Where(hit => hit.Missing is null).Select(hit => hit.Signal)))];
    }

    /// <summary>Keeps from where users registered.</summary>
    public Task SeeAsync(params (string Id, string Address, double Minutes)[] users) => Recorder.RecordAsync(
        "shop",
        [.. users.Select(user => new Origin(user.Id, Registered.AddMinutes(user.Minutes), IPAddress.Parse(user.Address), null))], Token);

    public async ValueTask DisposeAsync()
    {
        _meter.Dispose();
        await Database.DisposeAsync();
    }
}
