using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Adoption;

public sealed class AdoptionTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Two_accounts_of_one_user_become_one_and_the_opening_counts_once()
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        fixture.AddUser("tom", "tom@example.com");
        await fixture.Database.OpenAsync("Tom@Example.com", 5m);
        await fixture.Database.OpenAsync("tom", 4m, used: 1m);

        var report = await fixture.ApplyAsync();

        Assert.Equal((1, 5m, 0m), (report.Done, report.Totals.TakenBack, report.Totals.NotTakenBack));
        Assert.Equal(["tom 4.00 of tom"], await fixture.AccountsAsync());
        Assert.Equal(["purchase 5.00", "purchase 5.00 signup", "usage -1.00", "adjustment -5.00"], await fixture.LedgerAsync("tom"));
        Assert.Equal(["credit.adopt"], await fixture.Database.QueryAsync<string>("select action from audit_logs"));
        await fixture.AssertBooksAsync();
    }

    [Fact]
    public async Task What_was_granted_twice_and_spent_is_stated_and_no_balance_falls_below_zero()
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        fixture.AddUser("tom", "tom@example.com");
        await fixture.Database.OpenAsync("tom@example.com", 0.5m, used: 4.5m);
        await fixture.Database.OpenAsync("tom", 1m, used: 4m);

        await fixture.ApplyAsync();

        Assert.Equal(["tom 0.00 of tom"], await fixture.AccountsAsync());
        Assert.Equal(
            ["1.500000 3.500000"],
            await fixture.Database.QueryAsync<string>(
                """
                select (metadata ->> 'taken_back') || ' ' || (metadata ->> 'not_taken_back')
                from credit_transactions where transaction_type = 'adjustment'
                """));
        await fixture.AssertBooksAsync();
    }

    [Fact]
    public async Task The_better_tier_survives_and_both_openings_missing_from_the_ledger_count_once()
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        fixture.AddUser("tom", "tom@example.com");
        await fixture.Database.OpenAsync("tom@example.com", 18m, openings: 0, opening: 20m, tier: "starter");
        await fixture.Database.OpenAsync("tom", 5m, openings: 0);

        await fixture.ApplyAsync();

        Assert.Equal(["tom 18.00 of tom"], await fixture.AccountsAsync());
        Assert.Equal("starter", await fixture.Database.ScalarAsync<string>("select tier from user_credits"));
        await fixture.AssertBooksAsync();
    }

    [Fact]
    public async Task Openings_that_never_reached_the_balance_cost_nothing_and_those_that_did_are_taken_back()
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        fixture.AddUser("raced");
        fixture.AddUser("granted");
        fixture.AddUser("topped");
        await fixture.Database.OpenAsync("raced", 4m, openings: 10, used: 1m);
        await fixture.Database.OpenAsync("granted", 9m, openings: 2, used: 1m);
        await fixture.Database.OpenAsync("topped", 100m, openings: 2);

        var report = await fixture.ApplyAsync();

        Assert.Equal(["granted 4.00 of granted", "raced 4.00 of raced", "topped 100.00 of topped"], await fixture.AccountsAsync());
        Assert.Equal(5m, report.Totals.TakenBack);
        Assert.Equal(12, (await fixture.LedgerAsync("raced")).Length);
        await fixture.AssertBooksAsync();
    }

    [Fact]
    public async Task Ledgers_that_lack_rows_get_them_and_the_balances_stay()
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        foreach (var id in new[] { "bare", "used", "short" })
            fixture.AddUser(id, $"{id}@example.com");
        await fixture.Database.OpenAsync("bare", 3.2m, openings: 0);
        await fixture.Database.OpenAsync("used@example.com", 4m, openings: 0, used: 1m);
        await fixture.Database.OpenAsync("short", 3.5m, used: 1m);

        await fixture.ApplyAsync();

        Assert.Equal(["bare 3.20 of bare", "short 3.50 of short", "used 4.00 of used"], await fixture.AccountsAsync());
        Assert.Equal(["purchase 3.20 signup"], await fixture.LedgerAsync("bare"));
        Assert.Equal(["usage -1.00", "purchase 5.00 signup"], await fixture.LedgerAsync("used"));
        Assert.Equal(["purchase 5.00 signup", "usage -1.00", "adjustment -0.50"], await fixture.LedgerAsync("short"));
        await fixture.AssertBooksAsync();
    }

    [Theory]
    [InlineData("{id}", "sam")]
    [InlineData("{email}", "sam@example.com")]
    public async Task A_user_with_openings_in_the_ledger_and_no_account_is_opened_with_one_of_them_and_granted_nothing_more(
        string template, string expected)
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        fixture.AddUser("sam", "sam@example.com");
        await fixture.Database.OpenAsync("sam@example.com", 5m, openings: 3);
        await fixture.Database.ExecuteAsync("delete from user_credits");

        await fixture.ApplyAsync(false, ("Provisioning:AccountId", template));
        await using var bridge = fixture.NewBridge(("Provisioning:AccountId", template));
        await ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.AllUsers, null, TestContext.Current.CancellationToken);

        Assert.Equal([$"{expected} 5.00 of sam"], await fixture.AccountsAsync());
        Assert.Equal(4, (await fixture.LedgerAsync(expected)).Length);
        await fixture.AssertBooksAsync();
        Assert.Equal(0, (await fixture.PlanAsync(("Provisioning:AccountId", template))).Totals.Due);
    }

    [Fact]
    public async Task Unowned_shared_and_unverified_accounts_keep_their_id_and_balance()
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        fixture.AddUser("one", "both@example.com");
        fixture.AddUser("two", "BOTH@example.com");
        fixture.AddUser("eve", "victim@example.com", verified: false);
        foreach (var id in new[] { "left@example.com", "both@example.com", "victim@example.com" })
            await fixture.Database.OpenAsync(id, 7m, openings: 2);

        var report = await fixture.ApplyAsync();

        Assert.Subset(
            AdoptionFixture.Counts(report).ToHashSet(StringComparer.Ordinal),
            new HashSet<string> { "unowned 1", "shared 1", "unproven 1" });
        Assert.Equal(["both@example.com 7.00", "left@example.com 7.00", "victim@example.com 7.00"], await fixture.AccountsAsync());
        Assert.Contains("both@example.com", report.Findings.Single(finding => finding.Name == "shared").First);
        await fixture.AssertBooksAsync();

        await fixture.ApplyAsync(trustAddresses: true);
        Assert.Contains("eve 7.00 of eve", await fixture.AccountsAsync());
    }

    [Theory]
    [InlineData("{email}", "tom@example.com")]
    [InlineData("{realm}:{id}", "demo:tom")]
    [InlineData("{username}", "tom")]
    public async Task The_account_gets_the_id_of_the_configured_template(string template, string expected)
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        fixture.AddUser("tom", "tom@example.com");
        await fixture.Database.OpenAsync("tom@example.com", 5m);
        await fixture.Database.OpenAsync("tom", 5m);

        await fixture.ApplyAsync(false, ("Provisioning:AccountId", template));

        Assert.Equal([$"{expected} 5.00 of tom"], await fixture.AccountsAsync());
        Assert.Equal(3, (await fixture.LedgerAsync(expected)).Length);
        await fixture.AssertBooksAsync();
        Assert.Equal(0, (await fixture.PlanAsync(("Provisioning:AccountId", template))).Totals.Due);
    }

    [Fact]
    public async Task A_plan_writes_nothing_and_a_second_run_finds_nothing_and_touches_no_row()
    {
        await using var fixture = await AdoptionFixture.StartAsync(postgres);
        await FillAsync(fixture);
        await fixture.Database.MigrateAsync();
        var before = await fixture.VersionsAsync();

        var plan = await fixture.PlanAsync();

        Assert.Equal(before, await fixture.VersionsAsync());
        Assert.True(plan.Totals.Due > 0);
        await fixture.ApplyAsync();
        var after = await fixture.VersionsAsync();
        var second = await fixture.ApplyAsync();
        Assert.Equal((0L, 0L), (second.Totals.Due, second.Done));
        Assert.Equal(after, await fixture.VersionsAsync());
        await fixture.AssertBooksAsync();
    }

    [StartsPrograms, Fact]
    public async Task Killed_in_the_middle_and_run_again_it_comes_to_the_same_as_undisturbed()
    {
        await using var undisturbed = await AdoptionFixture.StartAsync(postgres);
        await FillAsync(undisturbed);
        await using var killed = await AdoptionFixture.StartAsync(postgres, undisturbed.Keycloak);
        await FillAsync(killed, users: false);
        await undisturbed.ApplyAsync();
        await killed.Database.MigrateAsync();

        await using (var blocker = await killed.Database.DataSource.OpenConnectionAsync(TestContext.Current.CancellationToken))
        await using (var transaction = await blocker.BeginTransactionAsync(TestContext.Current.CancellationToken))
        {
            await Dapper.SqlMapper.ExecuteAsync(blocker, "select 1 from user_credits where user_id = 'p05' for update");
            using var command = CommandProcess.Start(killed.Settings, "adopt", "--apply", "--batch", "2");
            await Eventually.TrueAsync(
                async () => await killed.Database.ScalarAsync<bool>("select exists (select from audit_logs)")
                    && await killed.Database.WaitsAsync(),
                "some are adopted and the next batch waits");
            await command.SignalAsync("KILL");
            await command.EndAsync();
            await killed.Database.EndWaitingAsync();
        }

        Assert.NotEqual(await undisturbed.StateAsync(), await killed.StateAsync());
        await Eventually.TrueAsync(
            () => killed.Database.ScalarAsync<bool>(
                """
                select not exists (
                    select from pg_locks
                    where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database()))
                """),
            "the killed session has ended");
        var (code, _, error) = await CommandProcess.RunAsync(killed.Settings, "adopt", "--apply", "--batch", "2");
        Assert.True(code == 0, error);
        Assert.Equal(await undisturbed.StateAsync(), await killed.StateAsync());
    }

    private static async Task FillAsync(AdoptionFixture fixture, bool users = true)
    {
        for (var number = 0; number < 12; number++)
        {
            var id = $"p{number:D2}";
            if (users)
                fixture.AddUser(id, $"{id}@example.com");
            await fixture.Database.OpenAsync(id, 5m - (number % 3), openings: number % 4);
            if (number % 2 == 0)
                await fixture.Database.OpenAsync($"{id}@example.com", 5m, used: number % 5);
        }

        await fixture.Database.OpenAsync("left@example.com", 3m);
    }
}
