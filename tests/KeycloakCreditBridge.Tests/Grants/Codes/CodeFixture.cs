using System.Diagnostics.Metrics;
using System.Net;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Codes;
using KeycloakCreditBridge.Grants.Codes.Campaigns;
using KeycloakCreditBridge.Grants.Codes.Redemptions;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.InUse;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Codes;

/// <summary>Accounts of a realm in a database of the test's own, and codes with the test's time.</summary>
internal sealed class CodeFixture : IAsyncDisposable
{
    public const string Realm = "demo";

    private readonly Meter _meter = new("tests");

    /// <param name="database">It is disposed of with the fixture.</param>
    /// <param name="key">The server's key.</param>
    public CodeFixture(TestDatabase database, string? key = null)
    {
        Grants = new GrantFixture(database);
        Options = new GrantsOptions { Codes = new CodesOptions { Key = key ?? new string('k', 32) } };
        var options = Microsoft.Extensions.Options.Options.Create(Options);
        Hasher = new CodeHasher(options);
        var inUse = new LotsInUse(database.DataSource, options);
        var ends = new GrantEnds(options, new GrantClock(() => Grants.Time.GetUtcNow()), Grants.Booking, inUse);
        Campaigns = new CampaignStore(database.DataSource);
        Maker = new CampaignMaker(Campaigns, Hasher, ends, Grants.Time);
        Redeemer = new CodeRedeemer(database.DataSource, Hasher, ends, options, new CodeMetrics(_meter), Grants.Time);
        Held = new HeldRedemptionStore(database.DataSource);
        Voider = new CampaignVoider(new OpenRedemptionStore(database.DataSource), Held, Grants.Book, Grants.Time);
    }

    public GrantFixture Grants { get; }

    public GrantsOptions Options { get; }

    public CodeHasher Hasher { get; }

    public CampaignStore Campaigns { get; }

    public CampaignMaker Maker { get; }

    public CodeRedeemer Redeemer { get; }

    public HeldRedemptionStore Held { get; }

    public CampaignVoider Voider { get; }

    public TestDatabase Database => Grants.Database;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<CodeFixture> CreateAsync(PostgresFixture postgres, params string[] accounts)
    {
        var fixture = new CodeFixture(await postgres.CreateDatabaseAsync());
        await fixture.OpenAsync(accounts);
        return fixture;
    }

    /// <summary>Accounts without credits whose users have the same ids.</summary>
    public Task OpenAsync(IReadOnlyCollection<string> accounts) => Database.ExecuteAsync(
        """
        insert into user_credits (user_id, realm, keycloak_id, credits_remaining, credits_allocated, tier, created_at, updated_at)
        select id, 'demo', id, 0, 0, 'trial', @At, @At from unnest(@Ids) id
        """,
        new { Ids = accounts.ToArray(), At = Grants.Time.GetUtcNow() });

    public static NewCampaign Campaign(string name, int count = 1, long places = 1, string? word = null, decimal credits = 5m) =>
        new(Realm, name, credits, null, null, null, [], count, places, word, "test");

    public async Task<IReadOnlyList<string>> MakeAsync(NewCampaign wanted)
    {
        Assert.Empty(CampaignRules.Problems(wanted, Grants.Time.GetUtcNow()));
        var result = await Maker.CreateAsync(wanted, Token);
        Assert.Equal(CreateOutcome.Done, result.Outcome);
        return result.Codes;
    }

    /// <summary>The outcome of an attempt, each account by default from a network of its own.</summary>
    public async Task<RedeemOutcome> RedeemAsync(string account, string code, string? address = null) =>
        (await TryAsync(account, code, address)).Outcome;

    public async Task<Redemption> TryAsync(string account, string code, string? address = null) =>
        (await Redeemer.RedeemAsync(
            new RedeemingUser(Realm, account, address is null ? null : IPAddress.Parse(address)), null, code, CancellationToken.None))!;

    /// <summary>
    /// Places taken, redemptions that took them, grants and credits given; all say the same where nothing is lost or doubled.
    /// </summary>
    public async Task<(long Taken, long Open, long Grants, decimal Credits)> CountsAsync() =>
    (
        await Database.ScalarAsync<long>("select coalesce(sum(redeemed), 0)::bigint from codes"),
        await Database.ScalarAsync<long>("select count(*) from code_redemptions where state in ('paid', 'held')"),
        await Database.ScalarAsync<long>(
            "select count(*) from credit_transactions t join credit_grants g using (user_id, grant_key) where t.grant_key like 'code:%'"),
        await Database.ScalarAsync<decimal>("select sum(credits_remaining) from user_credits"));

    public async ValueTask DisposeAsync()
    {
        _meter.Dispose();
        await Grants.DisposeAsync();
    }
}
