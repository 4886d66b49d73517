using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Tiers;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Awards;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Experiments.Running;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Accounts.Renames;
using KeycloakCreditBridge.Provisioning.Awards;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Provisioning;

/// <summary>A database and the rules of a test's own: the test says what Keycloak shows, each reading a second later.</summary>
internal sealed class AccountFixture : IAsyncDisposable
{
    public const string Realm = "shop";

    private readonly GrantPolicy _policy;
    private readonly TierCatalogue _tiers;
    private readonly IOptions<ProvisioningOptions> _options;
    private readonly PolicyActivation _activation;
    private readonly ExperimentRuns _experiments;
    private int _seconds;

    private AccountFixture(TestDatabase database, ProvisioningOptions options, GrantsOptions grants, string[] realms)
    {
        (Database, _options) = (database, Options.Create(options));
        _activation = new PolicyActivation(
            new PolicyStore(database.DataSource), TimeProvider.System, NullLogger<PolicyActivation>.Instance);
        _experiments = new ExperimentRuns(
            new ExperimentStore(database.DataSource), new FrozenExperiments(), TimeProvider.System, NullLogger<ExperimentRuns>.Instance);
        _tiers = new TierCatalogue(Options.Create(options));
        _policy = new GrantPolicy(
            Options.Create(options),
            Options.Create(new KeycloakOptions { Realms = [.. realms.Select(realm => new RealmOptions { Name = realm })] }),
            Options.Create(grants));
        Renames = new RenameStore(database.DataSource);
    }

    public TestDatabase Database { get; }

    public RenameStore Renames { get; }

    public static DateTimeOffset Start { get; } = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<AccountFixture> StartAsync(
        PostgresFixture postgres, ProvisioningOptions? options = null, params string[] realms) =>
        new(await postgres.CreateDatabaseAsync(), options ?? new ProvisioningOptions(), new GrantsOptions(), realms);

    /// <summary>The same with policies of grants.</summary>
    public static async Task<AccountFixture> StartAsync(
        PostgresFixture postgres, GrantsOptions grants, ProvisioningOptions? options = null) =>
        new(await postgres.CreateDatabaseAsync(), options ?? new ProvisioningOptions(), grants, []);

    /// <summary>One more replica on the same database, configured anew.</summary>
    public AccountFixture Restart(GrantsOptions grants, ProvisioningOptions? options = null) =>
        new(Database, options ?? _options.Value, grants, []) { _seconds = _seconds + 1 };

    /// <summary>Instruments that belong to no host.</summary>
    public static ProvisioningMetrics NewMetrics() =>
        new(new Meter("tests"), Options.Create(new KeycloakOptions()), Hot.Of(new ProvisioningOptions()));

    /// <summary>Options that count addresses.</summary>
    public static ProvisioningOptions OncePerEmail(string template = "{id}") => new()
    {
        AccountId = template,
        SignupGrant = new SignupGrantOptions { OncePer = OncePer.Email, EmailKey = new string('k', 32) },
    };

    /// <summary>A user with a verified address, as Keycloak shows it.</summary>
    public static Subject User(string id, string? email = null, bool enabled = true, string realm = Realm) =>
        new(realm, id, enabled, false, Start) { Username = id, Email = email, EmailVerified = email is not null };

    public DateTimeOffset NextReading() => Start.AddSeconds(Interlocked.Increment(ref _seconds));

    public DesiredState Evaluate(Subject subject, DateTimeOffset? readAt = null, string source = HintSources.Webhook) =>
        _policy.Evaluate(subject, readAt ?? NextReading(), source);

    public DesiredState EvaluateDeleted(string id, string realm = Realm) =>
        _policy.EvaluateDeleted(realm, id, NextReading(), HintSources.Webhook);

    /// <summary>Converges users to what Keycloak shows of them, all in one batch.</summary>
    public Task<ConvergeResult> ReadAsync(params Subject[] users) => ConvergeAsync([.. users.Select(user => Evaluate(user))]);

    public Task<ConvergeResult> DeleteAsync(params string[] ids) => ConvergeAsync([.. ids.Select(id => EvaluateDeleted(id))]);

    /// <summary>Converges as one more replica does.</summary>
    public Task<ConvergeResult> ConvergeAsync(params DesiredState[] states) =>
        new Provisioner(
            new AccountStore(Database.DataSource), new RenameStore(Database.DataSource), NewMetrics(), TimeProvider.System,
            NullLogger<Provisioner>.Instance, new GrantPlanner(
                new AccountFactsStore(Database.DataSource), _activation, experiments: _experiments))
            .ConvergeAsync(states, Token);

    /// <summary>The same under other rules, as after a restart.</summary>
    public Task<ConvergeResult> ReadAsync(ProvisioningOptions options, Subject user) => ConvergeAsync(
        new GrantPolicy(Options.Create(options)).Evaluate(user, NextReading(), HintSources.Webhook));

    /// <summary>Switches an account as an administrator, on a replica whose clock is so far ahead.</summary>
    public async Task SwitchAsync(string id, string tier, TimeSpan ahead = default)
    {
        var request = new TierSwitchRequest(
            new AccountSelector(Realm, id, IsOwn: false, []), _tiers.Find(tier)!, "admin", null, "caller", null, []);
        var switched = await new TierStore(Database.DataSource, _options).SwitchAsync(
            request, _tiers.ProRating, NextReading() + ahead, Token);
        Assert.NotNull(switched.Answer);
    }

    /// <summary>Ids of users whose records differ from what Keycloak shows.</summary>
    public async Task<string[]> DifferencesAsync(params Subject[] users)
    {
        DesiredState[] states = [.. users.Select(user => Evaluate(user))];
        var differences = await new AccountReviewStore(Database.DataSource).DifferencesAsync(states, Token);
        return [.. differences.Select(difference => difference.KeycloakId).Order(StringComparer.Ordinal)];
    }

    /// <summary>Ids of users whose records agree with a listing that shows them so.</summary>
    public async Task<string[]> UnchangedAsync(params Subject[] users) =>
        [.. (await new AccountReviewStore(Database.DataSource)
            .UnchangedAsync(Realm, [.. users.Select(user => (user, (string?)null, (short)0, _policy.DoneOf(user)))], Token))
            .Select(user => user.KeycloakId)];

    /// <summary>`id status balance`, and the owner.</summary>
    public Task<IReadOnlyList<string>> AccountsAsync() => Database.QueryAsync<string>(
        """
        select concat_ws(' ', user_id, status, status_reason, credits_remaining::numeric(9, 2), 'of ' || keycloak_id)
        from user_credits order by user_id collate "C"
        """);

    /// <summary>A user whose address Keycloak has not verified.</summary>
    public static Subject Unverified(string id, string email = "ana@example.com") => User(id, email) with { EmailVerified = false };

    /// <summary>The user with a tier in the attribute `plan`.</summary>
    public static Subject Planned(Subject user, string plan) =>
        user with { Attributes = new Dictionary<string, IReadOnlyList<string>> { ["plan"] = [plan] } };

    /// <summary>`user user_state reason account`.</summary>
    public Task<IReadOnlyList<string>> KnownAsync() => Database.QueryAsync<string>(
        """
        select concat_ws(' ', keycloak_id, user_state, reason, account_id) from keycloak_users
        order by realm collate "C", keycloak_id collate "C"
        """);

    /// <summary>`account key amount reason`, in the order of booking.</summary>
    public Task<IReadOnlyList<string>> LedgerAsync() => Database.QueryAsync<string>(
        """
        select concat_ws(' ', user_id, grant_key, amount::numeric(9, 2), metadata ->> 'reason')
        from credit_transactions order by user_id collate "C", created_at
        """);

    /// <summary>Opening grants of more than nothing.</summary>
    public Task<int> GrantsAsync() =>
        Database.ScalarAsync<int>("select count(*)::int from credit_transactions where grant_key = 'signup' and amount > 0");

    public Task<IReadOnlyList<string>> AuditAsync(string account) =>
        Database.QueryAsync<string>("select action from audit_logs where user_id = @Account order by id", new { Account = account });

    public ValueTask DisposeAsync() => Database.DisposeAsync();
}
