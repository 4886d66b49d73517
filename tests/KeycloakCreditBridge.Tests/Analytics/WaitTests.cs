using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using KeycloakCreditBridge.Analytics.Reports;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Analytics;

[SuppressMessage("Security", "CA5394", Justification = "A test that is repeated has to meet the same users.")]
public sealed class WaitTests(PostgresFixture postgres)
{
    private static readonly double[] Shares = [0.5, 0.9, 0.99];

    [Fact]
    public async Task Percentiles_of_up_to_100_000_users_are_exact_and_those_of_more_at_most_2_percent_off()
    {
        await using var fixture = await AnalyticsFixture.StartAsync(postgres);
        var random = new Random(5);
        // Two ways of several days: a group is put together from many rows.
        var waits = Enumerable.Range(0, 500).Select(number => (
            Way: number % 3 == 0 ? "poll" : "webhook", Day: number % 5,
            Ms: number < 20 ? -number : (long)Math.Exp(random.NextDouble() * 14))).ToArray();
        foreach (var (number, (way, day, ms)) in waits.Index())
        {
            var registered = AnalyticsFixture.Now.AddDays(-day);
            await fixture.AddUserAsync($"u{number}", registered, registered.AddMilliseconds(ms), way);
        }

        await fixture.RebuildAsync();

        foreach (var by in (string[])["realm", "way", "day"])
        {
            var query = new AnalyticsQuery(null, new DateOnly(2026, 1, 1), new DateOnly(2026, 12, 31), by);
            var exact = WaitCounts.ByName(await fixture.Store.WaitsAsync(query, 500, TestContext.Current.CancellationToken)).ToList();
            var rough = WaitCounts.ByName(await fixture.Store.WaitsAsync(query, 499, TestContext.Current.CancellationToken)).ToList();
            var groups = waits.GroupBy(wait => by switch
            {
                "realm" => "demo",
                "way" => wait.Way,
                _ => AnalyticsFixture.Now.AddDays(-wait.Day).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            }).OrderBy(group => group.Key, StringComparer.Ordinal).ToList();
            Assert.Equal(groups.Select(group => group.Key), exact.Select(group => group.Name));
            Assert.Equal(groups.Select(group => group.Key), rough.Select(group => group.Name));
            foreach (var (index, group) in groups.Index())
            {
                long[] sorted = [.. group.Select(wait => Math.Max(wait.Ms, 0)).Order()];
                foreach (var share in Shares)
                {
                    var expected = sorted[(int)Math.Ceiling(share * sorted.Length) - 1];
                    Assert.Equal(expected, exact[index].At(share));
                    Assert.InRange(rough[index].At(share), expected * 0.98 - 1, expected * 1.02 + 1);
                }

                foreach (var counts in (WaitCounts[])[exact[index], rough[index]])
                    Assert.Equal(
                        (sorted.Length, group.Count(wait => wait.Ms < 0), sorted[^1]), (counts.Users, counts.Skewed, counts.MaxMs));
            }
        }
    }
}
