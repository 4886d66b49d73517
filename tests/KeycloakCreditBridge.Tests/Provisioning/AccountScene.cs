using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Periods;
using KeycloakCreditBridge.Provisioning;
using KeycloakCreditBridge.Provisioning.Tiers;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Provisioning;

/// <summary>A database and the rules of a test's own: the test says what Keycloak shows, each time a second later.</summary>
internal sealed class AccountScene : IAsyncDisposable
{
    public const string Realm = "shop";

    private readonly GrantPolicy _policy;
    private readonly TierCatalogue _tiers;
    private int _seconds;

    private AccountScene(TestDatabase database, ProvisioningOptions options, PeriodsOptions periods)
    {
        Database = database;
        _tiers = new TierCatalogue(Options.Create(options), Options.Create(periods));
        _policy = new GrantPolicy(Options.Create(options));
        Renames = new RenameStore(database.DataSource);
    }

    public TestDatabase Database { get; }

    public RenameStore Renames { get; }

    public static DateTimeOffset Start { get; } = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<AccountScene> StartAsync(PostgresServer postgres, ProvisioningOptions? options = null, PeriodsOptions? periods = null) =>
        new(await postgres.CreateDatabaseAsync(), options ?? new ProvisioningOptions(), periods ?? new PeriodsOptions());

    /// <summary>Options that count addresses.</summary>
    public static ProvisioningOptions OncePerEmail(string template = "{id}") => new()
    {
        AccountId = template,
        SignupGrant = new SignupGrantOptions { OncePer = OncePer.Email, EmailKey = new string('k', 32) },
    };

    /// <summary>Somebody with a verified address, as Keycloak shows them.</summary>
    public static Subject Person(string id, string? email = null, bool enabled = true, string realm = Realm) =>
        new(realm, id, enabled, false, Start) { Username = id, Email = email, EmailVerified = email is not null };

    public DateTimeOffset NextReading() => Start.AddSeconds(Interlocked.Increment(ref _seconds));

    public Judgement Judge(Subject subject, DateTimeOffset? readAt = null) => _policy.Judge(subject, readAt ?? NextReading(), HintSources.Webhook);

    public Judgement JudgeGone(string id, string realm = Realm) => _policy.JudgeGone(realm, id, NextReading(), HintSources.Webhook);

    /// <summary>Converges people to what Keycloak shows of them, all in one batch.</summary>
    public Task<ConvergeResult> SeeAsync(params Subject[] people) => ConvergeAsync([.. people.Select(person => Judge(person))]);

    public Task<ConvergeResult> LoseAsync(params string[] ids) => ConvergeAsync([.. ids.Select(id => JudgeGone(id))]);

    /// <summary>Converges as one more replica does.</summary>
    public Task<ConvergeResult> ConvergeAsync(params Judgement[] judgements) =>
        new Provisioner(
            new AccountStore(Database.DataSource, _tiers), new RenameStore(Database.DataSource), new ProvisioningMetrics(new Meter("tests")), TimeProvider.System,
            NullLogger<Provisioner>.Instance).ConvergeAsync(judgements, Token);

    /// <summary>Ids of those who are on record otherwise than Keycloak shows them.</summary>
    public async Task<string[]> DifferencesAsync(params Subject[] people)
    {
        Judgement[] judgements = [.. people.Select(person => Judge(person))];
        var differences = await new AccountReviewStore(Database.DataSource).DifferencesAsync(judgements, Token);
        return [.. differences.Select(difference => difference.KeycloakId).Order(StringComparer.Ordinal)];
    }

    /// <summary>`id status balance`, and the owner.</summary>
    public Task<IReadOnlyList<string>> AccountsAsync() => Database.QueryAsync<string>(
        """
        select concat_ws(' ', user_id, status, status_reason, credits_remaining::numeric(9, 2), 'of ' || keycloak_id)
        from user_credits order by user_id collate "C"
        """);

    /// <summary>`user disposition reason account`.</summary>
    public Task<IReadOnlyList<string>> KnownAsync() => Database.QueryAsync<string>(
        """select concat_ws(' ', keycloak_id, disposition, reason, account_id) from keycloak_users order by realm collate "C", keycloak_id collate "C" """);

    /// <summary>Opening grants of more than nothing.</summary>
    public Task<int> GrantsAsync() =>
        Database.ScalarAsync<int>("select count(*)::int from credit_transactions where grant_key = 'signup' and amount > 0");

    public Task<IReadOnlyList<string>> AuditAsync(string account) =>
        Database.QueryAsync<string>("select action from audit_logs where user_id = @Account order by id", new { Account = account });

    public ValueTask DisposeAsync() => Database.DisposeAsync();
}
