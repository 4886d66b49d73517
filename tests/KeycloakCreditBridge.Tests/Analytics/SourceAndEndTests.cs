using KeycloakCreditBridge.Analytics.Reports;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Analytics;

public sealed class SourceAndEndTests(PostgresFixture postgres)
{
    private static readonly DateTimeOffset Now = AnalyticsFixture.Now;

    [Fact]
    public async Task Credits_are_counted_by_the_day_on_which_their_period_ends()
    {
        await using var fixture = await AnalyticsFixture.StartAsync(postgres);
        await fixture.AddUserAsync("ana", Now, Now);
        await fixture.AddUserAsync("ben", Now, Now);
        await fixture.AddUserAsync("cem", Now, Now);
        await fixture.Database.ExecuteAsync(
            "update user_credits set credits_remaining = 2.5, last_reset = '2026-07-15T12:00:00Z' where user_id <> 'cem'");

        await fixture.RebuildAsync();

        Assert.Equal(
            new Dictionary<string, string> { ["2026-07-15"] = "5.000000" }, await fixture.ColumnAsync(Report.Expiries, "day", "credits"));
    }

    [Fact]
    public async Task Claims_of_users_about_their_source_are_counted_where_enough_users_make_them()
    {
        await using var fixture = await AnalyticsFixture.StartAsync(postgres, minimumGroup: 2);
        // 52 claims of two users each, one of three, and one of a single user of another realm.
        string?[] claims =
            [.. Enumerable.Range(0, 104).Select(number => $"claim-{number / 2:D2}"), "claim-51", "ana@example.com", null, null];
        foreach (var (number, claim) in claims.Index())
        {
            await fixture.AddUserAsync($"u{number}", Now, Now, realm: claim == "ana@example.com" ? "shop" : "demo");
            if (claim is not null)
                await fixture.Database.ExecuteAsync(
                    "insert into attributions (user_id, source, attributed_at) values (@user, @claim, now())",
                    new { user = $"u{number}", claim });
        }

        await fixture.RebuildAsync();

        var users = await fixture.ColumnAsync(Report.Sources, "utm", "users");
        Assert.Equal(
            [.. Enumerable.Range(0, 49).Select(number => $"claim-{number:D2}"), "claim-51", "none", "other"],
            users.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(("2", "3", "2", "5"), (users["claim-00"], users["claim-51"], users["none"], users["other"]));
    }

    [Fact]
    public async Task Of_granted_credits_that_end_at_most_the_balance_is_counted()
    {
        await using var fixture = await AnalyticsFixture.StartAsync(postgres);
        foreach (var (user, balance) in new[] { ("unspent", 8), ("spent", 1), ("empty", 0) })
        {
            await fixture.AddUserAsync(user, Now, Now);
            await fixture.Database.ExecuteAsync(
                """
                update user_credits set credits_remaining = @balance where user_id = @user;
                insert into credit_grants (user_id, grant_key, amount, granted_at, expires_at, closed_at)
                select @user, key, amount, @Now, '2026-07-01T10:00:00Z', closed
                from (values ('a', 2, null), ('b', 3, null), ('c', 7, @Now::timestamptz)) as g (key, amount, closed)
                """,
                new { user, balance, Now });
        }

        await fixture.RebuildAsync();

        Assert.Equal("6.000000", (await fixture.ColumnAsync(Report.Expiries, "kind", "credits"))["grant"]);
        Assert.Equal("2", (await fixture.ColumnAsync(Report.Expiries, "kind", "accounts"))["grant"]);
    }

    // What users of one arm did would be a result without the check of the sample ratio.
    [Fact]
    public async Task Arms_of_an_experiment_are_one_source()
    {
        await using var fixture = await AnalyticsFixture.StartAsync(postgres);
        foreach (var arm in (string[])["control", "more"])
        {
            await fixture.AddUserAsync(arm, Now, Now);
            await fixture.Database.ExecuteAsync(
                """
                insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)
                values (@arm, 3, 3, 'purchase', jsonb_build_object('rule', 'experiment:trial:' || @arm), @Now, 'welcome');
                insert into credit_grants (user_id, grant_key, amount, granted_at, policy) values (@arm, 'welcome', 3, @Now, 'welcome');
                """,
                new { arm, Now });
        }

        await fixture.RebuildAsync();

        Assert.Equal(
            new Dictionary<string, string> { ["experiment"] = "2" }, await fixture.ColumnAsync(Report.Sources, "source", "users"));
        Assert.Equal(
            new Dictionary<string, string> { ["none"] = "2" }, await fixture.ColumnAsync(Report.Funnel, "arm", "users"));
    }

    [Fact]
    public async Task The_source_of_a_user_is_the_rule_that_decided_the_welcome()
    {
        await using var fixture = await AnalyticsFixture.StartAsync(postgres);
        foreach (var user in (string[])["by-rule", "without-rule", "without-policy"])
            await fixture.AddUserAsync(user, Now, Now);
        await fixture.Database.ExecuteAsync(
            """
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)
            values ('by-rule', 3, 3, 'purchase', '{"reason": "initial_allocation", "rule": "=partners"}', @Now, 'welcome'),
                ('without-rule', 3, 3, 'purchase', '{"reason": "initial_allocation"}', @Now, 'welcome'),
                ('without-policy', 3, 3, 'purchase', '{"reason": "initial_allocation", "rule": "x"}', @Now, 'signup');
            insert into credit_grants (user_id, grant_key, amount, granted_at, policy)
            values ('by-rule', 'welcome', 3, @Now, 'welcome'), ('without-rule', 'welcome', 3, @Now, 'welcome');
            """,
            new { Now });

        await fixture.RebuildAsync();

        Assert.Equal(
            new Dictionary<string, string> { ["=partners"] = "1", ["none"] = "2" },
            await fixture.ColumnAsync(Report.Sources, "source", "users"));
        Assert.Contains("\n'=partners,1,", CsvText.Of(await fixture.ReportAsync(Report.Sources, "source")), StringComparison.Ordinal);
    }
}
