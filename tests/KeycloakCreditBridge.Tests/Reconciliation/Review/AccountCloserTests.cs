using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Reconciliation.Review;

/// <summary>Accounts of users that were deleted without an event.</summary>
public sealed class AccountCloserTests(PostgresFixture postgres)
{
    private const string UsersPath = $"/{EmulatorFixture.Users}";
    private const string Closed = "select user_id from user_credits where status = 'closed' order by user_id";

    public static TheoryData<string> Complete => ["Windows", "List"];

    [Theory]
    [MemberData(nameof(Complete))]
    public async Task A_user_missing_from_a_complete_scan_and_unknown_to_Keycloak_is_closed(string mode)
    {
        await using var fixture = await StartAsync();
        var deleted = await RemoveAsync(fixture, 1);

        var outcome = await fixture.RunAsync(ReconciliationFixture.By(mode));

        Assert.Equal((ReconcileStatus.Done, 1L, 1L), (outcome.Status, outcome.Counts.NotShown, outcome.Counts.Closed));
        Assert.Equal(deleted, await fixture.Database.QueryAsync<string>(Closed));
        Assert.Equal(1, await fixture.Database.ScalarAsync<int>("select closed::int from reconcile_runs order by id desc limit 1"));
        Assert.Equal(0, (await fixture.RunAsync(ReconciliationFixture.By(mode))).Counts.NotShown);
    }

    [Theory]
    [InlineData("Windows")]
    [InlineData("List")]
    [InlineData("Counts")]
    public async Task More_than_the_share_are_closed_only_when_an_operator_allows_it(string mode)
    {
        await using var fixture = await StartAsync();
        var deleted = await RemoveAsync(fixture, 5);

        var asked = await fixture.RunAsync(ReconciliationFixture.By(mode));
        Assert.Equal((true, 5L, 0L), (asked.NeedsOperator, asked.Counts.NotShown, asked.Counts.Closed));
        Assert.Contains("--allow-closing 5", asked.Problems[0], StringComparison.Ordinal);
        Assert.Empty(await fixture.Database.QueryAsync<string>(Closed));

        var tooFew = await fixture.RunAsync(ReconciliationFixture.By(mode) with { AllowClosing = 4 });
        Assert.True(tooFew.NeedsOperator);
        var allowed = await fixture.RunAsync(ReconciliationFixture.By(mode) with { AllowClosing = 5 });

        Assert.Equal((false, 5L), (allowed.NeedsOperator, allowed.Counts.Closed));
        Assert.Equal(deleted, await fixture.Database.QueryAsync<string>(Closed));
    }

    [Theory]
    [MemberData(nameof(Complete))]
    public async Task Overwritten_users_are_closed_above_the_share_once_and_no_others_with_them(string mode)
    {
        await using var fixture = await StartAsync();
        var overwritten = await RemoveAsync(fixture, 5);
        string[] successors = [.. overwritten.Select(id => $"new-{id}")];
        await OverwriteAsync(fixture, successors);

        var outcome = await fixture.RunAsync(ReconciliationFixture.By(mode));

        Assert.Equal((false, 5L), (outcome.NeedsOperator, outcome.Counts.Closed));
        Assert.Equal(overwritten, await fixture.Database.QueryAsync<string>(Closed));
        await RemoveAsync(fixture, 5);
        Assert.True((await fixture.RunAsync(ReconciliationFixture.By(mode))).NeedsOperator);
    }

    [Fact]
    public async Task A_run_before_the_import_is_committed_does_not_end_what_the_overwritten_users_allow()
    {
        await using var fixture = await StartAsync();
        var replaced = (await fixture.UserIdsAsync()).Take(5).Order(StringComparer.Ordinal).ToArray();
        string[] successors = [.. replaced.Select(id => $"new-{id}")];
        await ReportOverwrittenAsync(fixture, successors);
        await fixture.RunAsync(ReconciliationFixture.By("Windows"));
        await RemoveAsync(fixture, 5);
        AddUsers(fixture, successors);

        var outcome = await fixture.RunAsync(ReconciliationFixture.By("Windows"));

        Assert.Equal((false, 5L), (outcome.NeedsOperator, outcome.Counts.Closed));
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select count(*)::int from overwritten_users"));
    }

    [Fact]
    public async Task Overwritten_users_that_never_come_are_forgotten_after_a_week()
    {
        await using var fixture = await StartAsync();
        await ReportOverwrittenAsync(fixture, ["young", "old"]);
        await fixture.Database.ExecuteAsync(
            "update overwritten_users set overwritten_at = now() - case keycloak_id when 'old' then interval '8 days' else '6 days' end");
        await fixture.RunAsync(ReconciliationFixture.By("Windows"));
        Assert.Equal(["young"], await fixture.Database.QueryAsync<string>("select keycloak_id from overwritten_users"));
    }

    [Fact]
    public async Task The_number_that_an_operator_allows_counts_overwritten_users_too()
    {
        await using var fixture = await StartAsync();
        await RemoveAsync(fixture, 20);
        await OverwriteAsync(fixture, [.. (await RemoveAsync(fixture, 5)).Select(id => $"new-{id}")]);
        Assert.True((await fixture.RunAsync(ReconciliationFixture.By("Windows") with { AllowClosing = 20 })).NeedsOperator);
    }

    [Theory]
    [MemberData(nameof(Complete))]
    public async Task A_dry_run_counts_them_and_closes_none(string mode)
    {
        await using var fixture = await StartAsync();
        await RemoveAsync(fixture, 5);
        var outcome = await fixture.RunAsync(ReconciliationFixture.By(mode) with { DryRun = true, AllowClosing = 5 });
        Assert.Equal((5L, 0L, false), (outcome.Counts.NotShown, outcome.Counts.Closed, outcome.NeedsOperator));
        Assert.Empty(await fixture.Database.QueryAsync<string>(Closed));
    }

    [Theory]
    [InlineData("Windows", false)]
    [InlineData("Windows", true)]
    [InlineData("List", false)]
    [InlineData("List", true)]
    public async Task A_user_that_Keycloak_returns_by_id_is_never_closed(string mode, bool truncated)
    {
        await using var fixture = await StartAsync();
        await RemoveAsync(fixture, 1);
        // The listing breaks off behind some of it: by an error, or by an answer that is cut.
        var broken = await fixture.RunAsync(ReconciliationFixture.By(mode) with { AllowClosing = 100 }, progress =>
        {
            if (progress.Counts.Seen < 30)
                return;
            if (truncated)
                fixture.Keycloak.Server.Faults.Truncate(UsersPath, 100);
            else
                fixture.Keycloak.Server.Faults.Fail(UsersPath, 100, 500);
        });
        Assert.Equal((ReconcileStatus.Failed, 0L), (broken.Status, broken.Counts.Closed));
        Assert.Empty(await fixture.Database.QueryAsync<string>(Closed));

        fixture.Keycloak.Server.Faults.Reset();
        var continued = await fixture.RunAsync(ReconciliationFixture.By(mode) with { AllowClosing = 100 });

        Assert.Equal((broken.RunId, ReconcileStatus.Done, 1L), (continued.RunId, continued.Status, continued.Counts.Closed));
        Assert.Equal(100, continued.Counts.Seen);
    }

    [Fact]
    public async Task Deleted_users_without_a_creation_time_are_found_by_the_counts()
    {
        await using var fixture = await StartAsync();
        fixture.Realm.AddUser(new("no-date", "no-date"));
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        fixture.Realm.RemoveUser("no-date");

        var outcome = await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts));

        Assert.Equal(1, outcome.Counts.Closed);
        Assert.Equal(["no-date"], await fixture.Database.QueryAsync<string>(Closed));
    }

    [Fact]
    public async Task A_user_that_returns_under_the_same_id_gets_the_account_back()
    {
        await using var fixture = await StartAsync();
        fixture.Realm.AddUser(new("ana", "ana") { CreatedTimestamp = 1_500_000_000_000 });
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        fixture.Realm.RemoveUser("ana");
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts));
        fixture.Realm.AddUser(new("ana", "ana") { CreatedTimestamp = 1_500_000_000_000 });

        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Counts));

        Assert.Equal("active", await fixture.Database.ScalarAsync<string>("select status from user_credits where user_id = 'ana'"));
    }

    // An import that overwrites is followed by other changes of the same users.
    private static Task OverwriteAsync(ReconciliationFixture fixture, string[] successors)
    {
        AddUsers(fixture, successors);
        return ReportOverwrittenAsync(fixture, successors);
    }

    private static void AddUsers(ReconciliationFixture fixture, string[] ids)
    {
        foreach (var id in ids)
            fixture.Realm.AddUser(new(id, id) { CreatedTimestamp = 1_700_000_000_000 });
    }

    private static Task ReportOverwrittenAsync(ReconciliationFixture fixture, string[] successors) =>
        fixture.Bridge.Services.GetRequiredService<HintWriter>().WriteAsync(
            [.. successors.SelectMany(id => (string[])[HintCauses.Overwritten, "USER-UPDATE"], (id, cause) => new UserHint(
                EmulatorFixture.Realm, id, HintKind.Changed, cause, HintSources.Webhook))],
            TestContext.Current.CancellationToken);

    private static async Task<string[]> RemoveAsync(ReconciliationFixture fixture, int count)
    {
        var deleted = (await fixture.UserIdsAsync()).Take(count).Order(StringComparer.Ordinal).ToArray();
        foreach (var id in deleted)
            fixture.Realm.RemoveUser(id);
        return deleted;
    }

    private async Task<ReconciliationFixture> StartAsync()
    {
        var fixture = await ReconciliationFixture.StartAsync(postgres, users: 101);
        await fixture.RunAsync(ReconciliationFixture.By(ReconcileMode.Windows));
        return fixture;
    }
}
