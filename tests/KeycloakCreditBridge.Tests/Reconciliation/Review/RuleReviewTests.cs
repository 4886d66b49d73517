using System.Collections.Immutable;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Review;

/// <summary>Rules that need more than a listing shows, and changes without an event that a listing shows.</summary>
public sealed class RuleReviewTests(PostgresFixture postgres)
{
    private const string OneUser = "GET /admin/realms/{realm}/users/{id}";

    private static readonly (string Key, string? Value) OnlyCustomers = ("Provisioning:Eligibility:Attribute", "kind=customer");
    private static readonly Dictionary<string, IReadOnlyList<string>> Customer = new() { ["kind"] = ["customer"] };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Only_users_that_changed_in_the_listing_are_read_in_full()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 25);
        for (var number = 0; number < 3; number++)
            fixture.Realm.AddUser(new EmulatedUser($"customer-{number}", $"customer-{number}") { Attributes = Customer });
        var (first, again) = (await ReadsAsync(fixture, OnlyCustomers), await ReadsAsync(fixture, OnlyCustomers));
        Assert.Equal((28, 0), (first, again));
        Assert.Equal(["customer-0", "customer-1", "customer-2"], await fixture.AccountsAsync());

        fixture.Realm.ChangeUser("customer-0", user => user with { Enabled = false });
        var newcomer = (await fixture.UserIdsAsync()).First(id => !id.StartsWith("customer", StringComparison.Ordinal));
        fixture.Realm.ChangeUser(newcomer, user => user with { Email = "new@example.com", Attributes = Customer });

        Assert.Equal(2, await ReadsAsync(fixture, OnlyCustomers));
        Assert.Equal("held", await fixture.Database.ScalarAsync<string>("select status from user_credits where user_id = 'customer-0'"));
        Assert.Contains(newcomer, await fixture.AccountsAsync());
        Assert.Equal(0, await ReadsAsync(fixture, OnlyCustomers));
    }

    [Fact]
    public async Task A_change_that_no_listing_shows_is_found_by_a_backfill()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        fixture.Realm.AddUser(new EmulatedUser("ana", "ana"));
        await ReadsAsync(fixture, OnlyCustomers);
        fixture.Realm.ChangeUser("ana", user => user with { Attributes = Customer });

        Assert.Equal(0, await ReadsAsync(fixture, OnlyCustomers));
        Assert.Empty(await fixture.AccountsAsync());
        Assert.Equal(1, await ReadsAsync(fixture, OnlyCustomers, ReconciliationFixture.AllUsers with { ReEvaluate = true }));
        Assert.Equal(["ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task Rules_that_need_only_the_listing_read_no_user_in_full()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 5);
        fixture.Realm.AddUser(new EmulatedUser("ana", "ana") { Email = "ana@example.org", EmailVerified = true });
        Assert.Equal(0, await ReadsAsync(fixture, ("Provisioning:Eligibility:EmailDomains:0", "example.org")));
        Assert.Equal(["ana"], await fixture.AccountsAsync());
        Assert.Equal(5, await fixture.Database.ScalarAsync<int>("select count(*)::int from keycloak_users where reason = 'email_domain'"));
    }

    [Fact]
    public async Task Only_users_of_an_allowed_identity_provider_get_accounts()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 3);
        fixture.Realm.AddUser(
            new EmulatedUser("ana", "ana") { Identities = ImmutableDictionary<string, string>.Empty.Add("corporate", "a") });
        await ReadsAsync(fixture, ("Provisioning:Eligibility:IdentityProviders:0", "corporate"));
        Assert.Equal(["ana"], await fixture.AccountsAsync());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("kind=customer")]
    public async Task An_address_that_was_changed_without_an_event_renames_the_account_and_a_dry_run_does_not(string? attribute)
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres);
        fixture.Realm.AddUser(new EmulatedUser("ana", "ana") { Email = "ana@example.com", Attributes = Customer });
        (string, string?)[] settings = [("Provisioning:AccountId", "{email}"), ("Provisioning:Eligibility:Attribute", attribute ?? "")];
        await RunAsync(fixture, ReconciliationFixture.AllUsers, settings);
        fixture.Realm.ChangeUser("ana", user => user with { Email = "new@example.com" });

        await RunAsync(fixture, ReconciliationFixture.AllUsers with { DryRun = true }, settings);
        Assert.Equal(["ana@example.com"], await fixture.AccountsAsync());
        var outcome = await RunAsync(fixture, ReconciliationFixture.AllUsers, settings);

        Assert.Equal(new ReconcileCounts(Seen: 1), outcome.Counts);
        Assert.Equal(["new@example.com"], await fixture.AccountsAsync());
    }

    // How many users were read one by one.
    private static async Task<int> ReadsAsync(ReconciliationFixture fixture, (string, string?) setting, RunRequest? request = null)
    {
        fixture.Keycloak.Server.Requests.Reset();
        await RunAsync(fixture, request ?? ReconciliationFixture.AllUsers, setting);
        return fixture.Keycloak.Server.Requests[OneUser];
    }

    private static async Task<ReconcileOutcome> RunAsync(
        ReconciliationFixture fixture, RunRequest request, params (string, string?)[] settings)
    {
        await using var bridge = BridgeFixture.Build(fixture.Database, fixture.Keycloak, settings);
        var outcome = await ReconciliationFixture.RunAsync(bridge, request, null, Token);
        Assert.Equal((ReconcileStatus.Done, null), (outcome.Status, outcome.Reason));
        return outcome;
    }
}
