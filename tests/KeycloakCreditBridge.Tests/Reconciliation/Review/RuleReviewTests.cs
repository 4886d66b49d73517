using System.Collections.Immutable;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Review;

/// <summary>Rules that look at more than a listing shows, and what a listing shows of changes that no event tells of.</summary>
public sealed class RuleReviewTests(PostgresFixture postgres)
{
    private const string OneUser = "GET /admin/realms/{realm}/users/{id}";

    private static readonly (string Key, string? Value) OnlyCustomers = ("Provisioning:Eligibility:Attribute", "kind=customer");
    private static readonly Dictionary<string, IReadOnlyList<string>> Customer = new() { ["kind"] = ["customer"] };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Only_users_that_changed_in_the_listing_are_read_in_full()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 25);
        for (var number = 0; number < 3; number++)
            bundle.Realm.AddUser(new EmulatedUser($"customer-{number}", $"customer-{number}") { Attributes = Customer });
        var (first, again) = (await ReadsAsync(bundle, OnlyCustomers), await ReadsAsync(bundle, OnlyCustomers));
        Assert.Equal((28, 0), (first, again));
        Assert.Equal(["customer-0", "customer-1", "customer-2"], await bundle.AccountsAsync());

        bundle.Realm.ChangeUser("customer-0", user => user with { Enabled = false });
        var stranger = (await bundle.UserIdsAsync()).First(id => !id.StartsWith("customer", StringComparison.Ordinal));
        bundle.Realm.ChangeUser(stranger, user => user with { Email = "new@example.com", Attributes = Customer });

        Assert.Equal(2, await ReadsAsync(bundle, OnlyCustomers));
        Assert.Equal("held", await bundle.Database.ScalarAsync<string>("select status from user_credits where user_id = 'customer-0'"));
        Assert.Contains(stranger, await bundle.AccountsAsync());
        Assert.Equal(0, await ReadsAsync(bundle, OnlyCustomers));
    }

    [Fact]
    public async Task A_change_that_no_listing_shows_is_found_by_a_backfill()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres);
        bundle.Realm.AddUser(new EmulatedUser("ana", "ana"));
        await ReadsAsync(bundle, OnlyCustomers);
        bundle.Realm.ChangeUser("ana", user => user with { Attributes = Customer });

        Assert.Equal(0, await ReadsAsync(bundle, OnlyCustomers));
        Assert.Empty(await bundle.AccountsAsync());
        Assert.Equal(1, await ReadsAsync(bundle, OnlyCustomers, ReconciliationFixture.AllUsers with { Rejudge = true }));
        Assert.Equal(["ana"], await bundle.AccountsAsync());
    }

    [Fact]
    public async Task Rules_that_need_only_the_listing_read_no_user_in_full()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 5);
        bundle.Realm.AddUser(new EmulatedUser("ana", "ana") { Email = "ana@example.org", EmailVerified = true });
        Assert.Equal(0, await ReadsAsync(bundle, ("Provisioning:Eligibility:EmailDomains:0", "example.org")));
        Assert.Equal(["ana"], await bundle.AccountsAsync());
        Assert.Equal(5, await bundle.Database.ScalarAsync<int>("select count(*)::int from keycloak_users where reason = 'email_domain'"));
    }

    [Fact]
    public async Task Only_users_of_an_allowed_identity_provider_get_accounts()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 3);
        bundle.Realm.AddUser(new EmulatedUser("ana", "ana") { Identities = ImmutableDictionary<string, string>.Empty.Add("corporate", "a") });
        await ReadsAsync(bundle, ("Provisioning:Eligibility:IdentityProviders:0", "corporate"));
        Assert.Equal(["ana"], await bundle.AccountsAsync());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("kind=customer")]
    public async Task An_address_that_was_changed_without_an_event_renames_the_account_and_a_dry_run_does_not(string? attribute)
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres);
        bundle.Realm.AddUser(new EmulatedUser("ana", "ana") { Email = "ana@example.com", Attributes = Customer });
        (string, string?)[] settings = [("Provisioning:AccountId", "{email}"), ("Provisioning:Eligibility:Attribute", attribute ?? "")];
        await RunAsync(bundle, ReconciliationFixture.AllUsers, settings);
        bundle.Realm.ChangeUser("ana", user => user with { Email = "new@example.com" });

        await RunAsync(bundle, ReconciliationFixture.AllUsers with { DryRun = true }, settings);
        Assert.Equal(["ana@example.com"], await bundle.AccountsAsync());
        var outcome = await RunAsync(bundle, ReconciliationFixture.AllUsers, settings);

        Assert.Equal(new ReconcileCounts(Seen: 1), outcome.Counts);
        Assert.Equal(["new@example.com"], await bundle.AccountsAsync());
    }

    // How many users were read one by one.
    private static async Task<int> ReadsAsync(ReconciliationFixture bundle, (string, string?) setting, RunRequest? request = null)
    {
        bundle.Keycloak.Server.Requests.Reset();
        await RunAsync(bundle, request ?? ReconciliationFixture.AllUsers, setting);
        return bundle.Keycloak.Server.Requests[OneUser];
    }

    private static async Task<ReconcileOutcome> RunAsync(ReconciliationFixture bundle, RunRequest request, params (string, string?)[] settings)
    {
        await using var bridge = BridgeFixture.Build(bundle.Database, bundle.Keycloak, settings);
        var outcome = await ReconciliationFixture.RunAsync(bridge, request, null, Token);
        Assert.Equal((ReconcileStatus.Done, null), (outcome.Status, outcome.Reason));
        return outcome;
    }
}
