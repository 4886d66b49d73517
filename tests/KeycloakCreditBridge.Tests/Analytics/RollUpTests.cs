using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using KeycloakCreditBridge.Analytics.Reports;
using KeycloakCreditBridge.Tests.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Analytics;

[SuppressMessage("Security", "CA5394", Justification = "A test that is repeated has to meet the same users.")]
public sealed class RollUpTests(PostgresFixture postgres)
{
    private static readonly DateTimeOffset Now = AnalyticsFixture.Now;

    [Theory]
    [InlineData("UTC", 1)]
    [InlineData("Europe/Berlin", 2)]
    [InlineData("America/St_Johns", 3)]
    public async Task After_random_days_with_kills_the_roll_up_is_a_recount_of_the_records(string zone, int seed)
    {
        await using var fixture = await AnalyticsFixture.StartAsync(postgres, zone);
        var random = new Random(seed);
        for (var day = 0; day < 12; day++)
        {
            await AddRandomUsersAsync(fixture, random, 40);
            await fixture.Database.ExecuteAsync(
                """
                update keycloak_users set user_state = 'deleted' where random() < 0.03;
                update user_credits set first_spend_at = now() where random() < 0.1;
                """);
            using (var kill = new CancellationTokenSource(TimeSpan.FromMilliseconds(random.Next(1, 30))))
                await KilledAsync(fixture, kill.Token);
            await fixture.RebuildAsync(whole: false);
            // One clock in ten runs back.
            fixture.Clock = new ManualTimeProvider(fixture.Clock.GetUtcNow().AddHours(random.Next(10) == 0 ? -30 : 26));
        }

        await fixture.RebuildAsync();

        await AssertRecountAsync(fixture, zone);
    }

    [Fact]
    public async Task A_rebuild_of_the_last_days_leaves_what_a_rebuild_of_all_days_makes()
    {
        await using var fixture = await AnalyticsFixture.StartAsync(postgres, "Europe/Berlin");
        await AddRandomUsersAsync(fixture, new Random(7), 300);
        await fixture.RebuildAsync();
        for (var number = 0; number < 30; number++)
            await fixture.AddUserAsync($"new-{number}", Now.AddHours(-number * 20), Now.AddHours(-number * 20).AddSeconds(2));

        var recent = await fixture.RebuildAsync(whole: false);
        var rows = await RowsAsync(fixture);
        await fixture.RebuildAsync();

        Assert.False(recent.Whole);
        Assert.Equal(rows, await RowsAsync(fixture));
    }

    [Fact]
    public async Task All_days_are_rebuilt_once_a_day_for_another_time_zone_and_after_an_older_program()
    {
        await using var fixture = await AnalyticsFixture.StartAsync(postgres);
        Assert.True((await fixture.RebuildAsync(whole: false)).Whole);
        Assert.False((await fixture.RebuildAsync(whole: false)).Whole);
        fixture.Clock.Advance(TimeSpan.FromHours(25));
        Assert.True((await fixture.RebuildAsync(whole: false)).Whole);
        await fixture.Database.ExecuteAsync("update analytics_state set zone = 'Europe/Berlin'");
        Assert.True((await fixture.RebuildAsync(whole: false)).Whole);
        Assert.False((await fixture.RebuildAsync(whole: false)).Whole);
        // As a program does that knew less to count.
        await fixture.Database.ExecuteAsync("update analytics_state set layout = 0");
        Assert.True((await fixture.RebuildAsync(whole: false)).Whole);
    }

    [Fact]
    public async Task Days_are_those_of_the_time_zone_also_when_clocks_change()
    {
        await using var fixture = await AnalyticsFixture.StartAsync(postgres, "Europe/Berlin");
        string[] instants =
        [
            "2026-03-28T22:59:59Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z",
            "2026-10-24T21:59:59Z", "2026-10-24T22:00:00Z", "2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z",
        ];
        foreach (var instant in instants)
        {
            var at = DateTimeOffset.Parse(instant, CultureInfo.InvariantCulture);
            await fixture.AddUserAsync(instant, at, at.AddSeconds(1));
        }

        await fixture.RebuildAsync();

        Assert.Equal(
            new Dictionary<string, string>
            {
                ["2026-03-28"] = "1", ["2026-03-29"] = "2", ["2026-03-30"] = "1",
                ["2026-10-24"] = "1", ["2026-10-25"] = "2", ["2026-10-26"] = "1",
            },
            await fixture.ColumnAsync(Report.Funnel, "day", "users"));
    }

    [Fact]
    public async Task Backfilled_and_adopted_users_are_counted_apart_and_no_wait_is_theirs()
    {
        await using var fixture = await AnalyticsFixture.StartAsync(postgres);
        await fixture.AddUserAsync("found", Now, Now.AddSeconds(2));
        await fixture.AddUserAsync("skewed", Now, Now.AddSeconds(-2), "poll");
        await fixture.AddUserAsync("held", Now, Now.AddSeconds(1), "poll", "held");
        await fixture.AddUserAsync("adopted", Now, Now.AddDays(-900), "adoption");
        await fixture.AddUserAsync("backfilled", Now.AddDays(-20), Now, "backfill");
        await fixture.AddUserAsync("before", new DateTimeOffset(2025, 12, 31, 23, 0, 0, TimeSpan.Zero), Now, "reconciliation");
        await fixture.AddUserAsync("taken", Now, Now, "none", "excluded", reason: "account_id_taken");
        await fixture.AddUserAsync("ruled", Now, Now, "none", "excluded", reason: "group");
        await fixture.AddUserAsync("without-date", null, Now, "none", "deleted");
        await fixture.Database.ExecuteAsync(
            """
            insert into user_hints (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at, state)
            select 'demo', u, 1, 'webhook', 'REGISTER', 'changed', @Now, @Now, s
            from (values ('new', 'waiting'), ('given-up', 'dead'), ('found', 'waiting')) as h (u, s)
            """,
            new { Now });

        await fixture.RebuildAsync();

        Assert.Equal(
            new Dictionary<string, string>
            {
                ["account"] = "2", ["adopted"] = "1", ["backfilled"] = "1", ["dead"] = "1", ["deleted"] = "1", ["excluded"] = "1",
                ["held"] = "1", ["id_taken"] = "1", ["waiting"] = "1",
            },
            await fixture.ColumnAsync(Report.Funnel, "box", "users"));
        var view = await fixture.ReportAsync(Report.Funnel, "realm");
        Assert.Equal("0.500000", view.Rows.Single().Values[^1]);
        Assert.Equal(
            new Dictionary<string, string> { ["poll"] = "1", ["webhook"] = "0" },
            await fixture.ColumnAsync(Report.Latency, "way", "skewed"));
        Assert.Equal(
            new Dictionary<string, string> { ["poll"] = "1000", ["webhook"] = "2000" },
            await fixture.ColumnAsync(Report.Latency, "way", "max_ms"));
    }

    private static async Task KilledAsync(AnalyticsFixture fixture, CancellationToken kill)
    {
        try
        {
            await fixture.RollUps.RebuildAsync(whole: true, kill);
        }
        catch (Exception exception) when (exception is OperationCanceledException or NpgsqlException)
        {
            // That is the kill.
        }
    }

    private static async Task AddRandomUsersAsync(AnalyticsFixture fixture, Random random, int count)
    {
        string[] ways = ["webhook", "poll", "reconciliation", "first-read", "backfill", "adoption", "none"];
        for (var number = 0; number < count; number++)
        {
            var registered = Now.AddMinutes(-random.Next(0, 300_000));
            var way = ways[random.Next(ways.Length)];
            await fixture.AddUserAsync(
                $"{Guid.NewGuid()}", random.Next(10) == 0 ? null : registered, registered.AddSeconds(random.Next(-3, 600)), way,
                way == "none" ? "excluded" : random.Next(8) == 0 ? "held" : "account", random.Next(3) == 0 ? "shop" : "demo");
        }
    }

    // The same counts in another way: user by user.
    private static async Task AssertRecountAsync(AnalyticsFixture fixture, string zone)
    {
        var timeZone = TimeZoneInfo.FindSystemTimeZoneById(zone);
        var users = await fixture.Database.QueryAsync<(string Realm, DateTime? Registered, bool HasAccount, bool Spent)>(
            """
            select k.realm, coalesce(k.created_at, c.created_at), c.user_id is not null, c.first_spend_at is not null
            from keycloak_users k left join user_credits c on c.user_id = k.account_id
            """);
        var expected = users.GroupBy(user => (user.Realm, Day: DayOf(user.Registered)))
            .Select(group => $"{group.Key.Realm} {group.Key.Day:yyyy-MM-dd} {group.Count()} {group.Count(user => user.HasAccount)} "
                + $"{group.Count(user => user.Spent)}")
            .Order(StringComparer.Ordinal);
        var counted = await fixture.Database.QueryAsync<string>(
            """
            select concat_ws(' ', realm, to_char(day, 'YYYY-MM-DD'), sum(users), sum(provisioned), sum(first_spend)) from analytics_funnel
            group by realm, day
            """);
        Assert.Equal(expected, counted.Order(StringComparer.Ordinal));
        Assert.Equal(users.Count, await fixture.Database.ScalarAsync<long>("select sum(users)::bigint from analytics_funnel"));
        Assert.Equal(users.Count, await fixture.Database.ScalarAsync<long>("select sum(users)::bigint from analytics_utm"));

        var waits = await fixture.Database.QueryAsync<(string Realm, DateTime Registered, DateTime Provisioned)>(
            """
            select k.realm, k.created_at, c.created_at
            from keycloak_users k join user_credits c on c.user_id = k.account_id
            where c.source <> 'backfill' and k.created_at >= '2026-01-01T00:00:00Z'
            """);
        Assert.Equal(
            waits.GroupBy(wait => (wait.Realm, Day: DayOf(wait.Registered)))
                .Select(group => $"{group.Key.Realm} {group.Key.Day:yyyy-MM-dd} {group.Count()} {group.Count()} "
                    + $"{group.Sum(wait => Math.Max((long)(wait.Provisioned - wait.Registered).TotalMilliseconds, 0))}")
                .Order(StringComparer.Ordinal),
            (await fixture.Database.QueryAsync<string>(
                """
                select concat_ws(' ', realm, to_char(day, 'YYYY-MM-DD'), sum(users), sum((select sum(n) from unnest(counts) n)),
                    sum((select sum(ms) from unnest(waits) ms)))
                from analytics_waits
                group by realm, day
                """)).Order(StringComparer.Ordinal));

        DateOnly DayOf(DateTime? registered) => registered is { } at
            ? DateOnly.FromDateTime(TimeZoneInfo.ConvertTimeFromUtc(DateTime.SpecifyKind(at, DateTimeKind.Utc), timeZone))
            : DateOnly.MinValue;
    }

    private static Task<IReadOnlyList<string>> RowsAsync(AnalyticsFixture fixture) => fixture.Database.QueryAsync<string>(
        """
        select f::text from analytics_funnel f union all select w::text from analytics_waits w
        union all select u::text from analytics_utm u order by 1
        """);
}
