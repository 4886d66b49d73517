using KeycloakCreditBridge.Grants.Review.Signals.Origins;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Grants.Review.Signals.SignalFixture;

namespace KeycloakCreditBridge.Tests.Grants.Review.Signals.Origins;

/// <summary>How many users of one network registered, and when a network says nothing.</summary>
public sealed class OriginStoreTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_third_user_of_a_64_is_told_and_users_of_its_neighbours_are_not()
    {
        await using var fixture = await StartAsync(postgres);
        await fixture.SeeAsync(
            ("a", "2001:db8:0:1::1", 0), ("b", "2001:db8:0:1:ffff::2", 1), ("n", "2001:db8:0:2::1", 2), ("c", "2001:db8:0:1::3", 3),
            ("d", "203.0.113.1", 4), ("e", "203.0.113.200", 5), ("f", "203.0.113.3", 6), ("g", "203.0.114.3", 7),
            ("late", "2001:db8:0:1::9", 62));
        Assert.Equal(
            ["", "", "", "network_hour", "", "", "network_hour", "", ""],
            await fixture.SpokeAsync([.. "abncdefg".Select(id => User($"{id}")), User("late")]));
    }

    [Fact]
    public async Task Of_users_of_one_network_that_come_at_once_each_has_its_own_count()
    {
        await using var fixture = await StartAsync(postgres);
        await Task.WhenAll(Enumerable.Range(0, 12).Select(number => Task.Run(
            () => fixture.SeeAsync(($"u{number}", "2001:db8::1", number / 100.0)))));
        Assert.Equal(
            [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10],
            await fixture.Database.QueryAsync<int>("select in_day::integer from fraud_origins order by 1"));
        var spoke = await fixture.SpokeAsync([.. Enumerable.Range(0, 12).Select(number => User($"u{number}"))]);
        Assert.Equal(
            (2, 7, 3),
            (spoke.Count(signals => signals.Length == 0), spoke.Count(signals => signals == "network_hour"),
                spoke.Count(signals => signals == "network_hour network_day")));
    }

    [Fact]
    public async Task A_network_with_most_of_an_hours_registrations_is_a_proxy_and_says_nothing()
    {
        await using var fixture = await StartAsync(postgres);
        await fixture.SeeAsync([.. Enumerable.Range(0, 60).Select(number => ($"u{number}", "198.51.100.7", number / 10.0))]);
        Assert.Equal(10, await CountAsync(fixture, "missing = 'proxy'"));
        Assert.Equal([""], await fixture.SpokeAsync(User("u59")));
        // What was a proxy stays one for a day, also while few come.
        await fixture.SeeAsync(("calm", "198.51.100.7", 600));
        Assert.Equal(11, await CountAsync(fixture, "missing = 'proxy'"));
        Assert.Equal(
            new OriginCounts("shop", 61, 11, 0, 0), Assert.Single(await fixture.Origins.CountAsync(Registered.AddDays(-1), Token)));
    }

    [Fact]
    public async Task A_network_with_half_of_an_hours_registrations_is_none()
    {
        await using var fixture = await StartAsync(postgres);
        await fixture.SeeAsync([
            .. Enumerable.Range(0, 120).Select(number => (
                $"u{number}", number % 2 == 0 ? $"192.0.{number}.1" : "198.51.100.7", number / 10.0))]);
        Assert.Equal(0, await CountAsync(fixture, "missing = 'proxy'"));
    }

    [Fact]
    public async Task A_registration_without_an_address_is_completed_by_a_later_event_and_an_administrators_user_stays_so()
    {
        await using var fixture = await StartAsync(postgres);
        await fixture.Recorder.RecordAsync(
            "shop",
            [
                new Origin("ana", Registered, null, MissingOrigins.NoEvent), Origin.ByAdministrator("bob", Registered),
                new Origin("cem", Registered, null, MissingOrigins.Private),
            ],
            Token);
        await fixture.SeeAsync(("ana", "203.0.113.1", 1), ("bob", "203.0.113.2", 1));
        await fixture.SeeAsync(("ana", "198.51.100.1", 2));
        Assert.Equal(["ana ", "bob administrator", "cem private"], await fixture.Database.QueryAsync<string>(
            "select keycloak_id || ' ' || coalesce(missing, '') from fraud_origins order by keycloak_id"));
        var assessed = await fixture.Assessor.AssessAsync([User("bob"), User("cem")], Token);
        Assert.Equal("administrator", assessed["bob"].Exempt);
        Assert.Contains(assessed["cem"].Hits, hit => hit.Missing == MissingOrigins.Private);
    }

    [Fact]
    public async Task Networks_are_forgotten_after_their_time()
    {
        await using var fixture = await StartAsync(postgres);
        await fixture.SeeAsync(("old", "203.0.113.1", -40 * 24 * 60), ("new", "203.0.113.1", 0));
        Assert.Equal(1, await fixture.Origins.PurgeAsync(Now - OriginStore.Retention, 10, Token));
        Assert.Equal(["new"], await fixture.Database.QueryAsync<string>("select keycloak_id from fraud_origins"));
    }

    private static Task<int> CountAsync(SignalFixture fixture, string where) =>
        fixture.Database.ScalarAsync<int>($"select count(*)::integer from fraud_origins where {where}")!;
}
