using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation.Review;

/// <summary>Accounts of users who were deleted without an event.</summary>
public sealed class AccountCloserTests(PostgresFixture postgres)
{
    private const string UsersPath = $"/{EmulatorFixture.Users}";
    private const string Closed = "select user_id from user_credits where status = 'closed' order by user_id";

    public static TheoryData<string> Complete => ["Windows", "List"];

    [Theory]
    [MemberData(nameof(Complete))]
    public async Task A_user_missing_from_a_complete_scan_and_unknown_to_Keycloak_is_closed(string mode)
    {
        await using var bundle = await StartAsync();
        var gone = await RemoveAsync(bundle, 1);

        var outcome = await bundle.RunAsync(ReconciliationFixture.By(mode));

        Assert.Equal((ReconcileStatus.Done, 1L, 1L), (outcome.Status, outcome.Counts.Gone, outcome.Counts.Closed));
        Assert.Equal(gone, await bundle.Database.QueryAsync<string>(Closed));
        Assert.Equal(1, await bundle.Database.ScalarAsync<int>("select closed::int from reconcile_runs order by id desc limit 1"));
        Assert.Equal(0, (await bundle.RunAsync(ReconciliationFixture.By(mode))).Counts.Gone);
    }

    [Theory]
    [InlineData("Windows")]
    [InlineData("List")]
    [InlineData("Counts")]
    public async Task More_than_the_share_are_closed_only_when_an_operator_allows_it(string mode)
    {
        await using var bundle = await StartAsync();
        var gone = await RemoveAsync(bundle, 5);

        var asked = await bundle.RunAsync(ReconciliationFixture.By(mode));
        Assert.Equal((true, 5L, 0L), (asked.NeedsOperator, asked.Counts.Gone, asked.Counts.Closed));
        Assert.Contains("--allow-closing 5", asked.Problems[0], StringComparison.Ordinal);
        Assert.Empty(await bundle.Database.QueryAsync<string>(Closed));

        var tooFew = await bundle.RunAsync(ReconciliationFixture.By(mode) with { AllowClosing = 4 });
        Assert.True(tooFew.NeedsOperator);
        var allowed = await bundle.RunAsync(ReconciliationFixture.By(mode) with { AllowClosing = 5 });

        Assert.Equal((false, 5L), (allowed.NeedsOperator, allowed.Counts.Closed));
        Assert.Equal(gone, await bundle.Database.QueryAsync<string>(Closed));
    }

    [Theory]
    [MemberData(nameof(Complete))]
    public async Task A_dry_run_counts_them_and_closes_none(string mode)
    {
        await using var bundle = await StartAsync();
        await RemoveAsync(bundle, 5);
        var outcome = await bundle.RunAsync(ReconciliationFixture.By(mode) with { DryRun = true, AllowClosing = 5 });
        Assert.Equal((5L, 0L, false), (outcome.Counts.Gone, outcome.Counts.Closed, outcome.NeedsOperator));
        Assert.Empty(await bundle.Database.QueryAsync<string>(Closed));
    }

    [Theory]
    [InlineData("Windows", false)]
    [InlineData("Windows", true)]
    [InlineData("List", false)]
    [InlineData("List", true)]
    public async Task A_user_that_Keycloak_returns_by_id_is_never_closed(string mode, bool truncated)
    {
        await using var bundle = await StartAsync();
        await RemoveAsync(bundle, 1);
        // The listing breaks off behind some of it: by an error, or by an answer that is cut.
        var broken = await bundle.RunAsync(ReconciliationFixture.By(mode) with { AllowClosing = 100 }, progress =>
        {
            if (progress.Counts.Seen < 30)
                return;
            if (truncated)
                bundle.Keycloak.Server.Faults.Truncate(UsersPath, 100);
            else
                bundle.Keycloak.Server.Faults.Fail(UsersPath, 100, 500);
        });
        Assert.Equal((ReconcileStatus.Failed, 0L), (broken.Status, broken.Counts.Closed));
        Assert.Empty(await bundle.Database.QueryAsync<string>(Closed));

        bundle.Keycloak.Server.Faults.Reset();
        var continued = await bundle.RunAsync(ReconciliationFixture.By(mode) with { AllowClosing = 100 });

        Assert.Equal((broken.RunId, ReconcileStatus.Done, 1L), (continued.RunId, continued.Status, continued.Counts.Closed));
        Assert.Equal(100, continued.Counts.Seen);
    }

    [Fact]
    public async Task Deleted_users_without_a_creation_time_are_found_by_the_counts()
    {
        await using var bundle = await StartAsync();
        bundle.Realm.AddUser(new("undated", "undated"));
        await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        bundle.Realm.RemoveUser("undated");

        var outcome = await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts));

        Assert.Equal(1, outcome.Counts.Closed);
        Assert.Equal(["undated"], await bundle.Database.QueryAsync<string>(Closed));
    }

    [Fact]
    public async Task A_user_that_returns_under_the_same_id_gets_the_account_back()
    {
        await using var bundle = await StartAsync();
        bundle.Realm.AddUser(new("ana", "ana") { CreatedTimestamp = 1_500_000_000_000 });
        await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        bundle.Realm.RemoveUser("ana");
        await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts));
        bundle.Realm.AddUser(new("ana", "ana") { CreatedTimestamp = 1_500_000_000_000 });

        await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts));

        Assert.Equal("active", await bundle.Database.ScalarAsync<string>("select status from user_credits where user_id = 'ana'"));
    }

    private static async Task<string[]> RemoveAsync(ReconciliationFixture bundle, int count)
    {
        var gone = (await bundle.UserIdsAsync()).Take(count).Order(StringComparer.Ordinal).ToArray();
        foreach (var id in gone)
            bundle.Realm.RemoveUser(id);
        return gone;
    }

    private async Task<ReconciliationFixture> StartAsync()
    {
        var bundle = await ReconciliationFixture.StartAsync(postgres, users: 101);
        await bundle.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        return bundle;
    }
}
