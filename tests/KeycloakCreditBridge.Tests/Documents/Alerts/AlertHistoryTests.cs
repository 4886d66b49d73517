using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Documents.Install;
using KeycloakCreditBridge.Tests.Running;

namespace KeycloakCreditBridge.Tests.Documents.Alerts;

/// <summary>Alerts that compare an hour with the same hour of 28 days, in a Prometheus that has these days.</summary>
[StartsPrograms]
public sealed class AlertHistoryTests
{
    private const int PerHour = 6;
    private const int Quiet = 1;
    private const int Busy = 20;
    private const int BusyHour = 12;
    private const int NightHour = 2;

    private static readonly TimeSpan Interval = TimeSpan.FromHours(1) / PerHour;

    // Prometheus takes a value of at most five minutes before for the present one, and evaluates a group at times of its own choice.
    private static readonly TimeSpan Evaluation = TimeSpan.FromMinutes(5);

    private static readonly DateTimeOffset Today = new(2026, 3, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset First = Today.AddDays(-29);
    private static readonly DateTimeOffset Night = Today.AddHours(NightHour + 1) - Interval;
    private static readonly DateTimeOffset Noon = Today.AddHours(BusyHour + 1) - Interval;

    private static readonly JsonObject[] Rules =
        [.. YamlText.Read("docs/prometheus/alerts.yaml")["groups"]![0]!["rules"]!.AsArray().Select(rule => rule!.AsObject())];

    [Fact]
    public async Task Many_accounts_of_one_night_fire_the_alerts_and_as_many_at_noon_do_not_where_28_days_say_what_is_usual()
    {
        PrometheusFixture.Require();
        await using var prometheus = new PrometheusFixture();
        await prometheus.ImportAsync(Samples());
        string[] increases = ["credit_bridge:accounts_opened:increase1h", "credit_bridge:credits_opened:increase1h"];
        await prometheus.RecordAsync(Recording(increases), First, Noon, Evaluation);
        // What is usual is made of what the rules before have recorded.
        await prometheus.RecordAsync(
            Recording("credit_bridge:accounts_opened_usually:p99", "credit_bridge:credits_opened_usually:p99"),
            Night.AddDays(-1) - Evaluation, Noon, Evaluation);

        foreach (var alert in (string[])["CreditBridgeUnusualProvisioning", "CreditBridgeUnusualCredits"])
        {
            var expression = (string)Rules.Single(rule => (string?)rule["alert"] == alert)["expr"]!;
            var fired = Assert.Single(await prometheus.QueryAsync(expression, Night));
            Assert.StartsWith($"hour={NightHour} ", fired, StringComparison.Ordinal);
            Assert.Empty(await prometheus.QueryAsync(expression, Night - TimeSpan.FromDays(1)));
            Assert.Empty(await prometheus.QueryAsync(expression, Noon));
        }

        // The noon brought as much as the night, so that only the history tells them apart.
        Assert.Equal(
            await prometheus.QueryAsync($"sum({increases[0]})", Night), await prometheus.QueryAsync($"sum({increases[0]})", Noon));
    }

    private static string Recording(params string[] names)
    {
        var rules = Rules.Where(rule => names.Contains((string?)rule["record"], StringComparer.Ordinal)).ToArray();
        Assert.Equal(names.Length, rules.Length);
        // YAML takes JSON.
        return new JsonObject
        {
            ["groups"] = new JsonArray(new JsonObject
            {
                ["name"] = "recorded", ["rules"] = new JsonArray([.. rules.Select(rule => rule.DeepClone())]),
            }),
        }.ToJsonString();
    }

    // Each day brings many accounts between noon and one o'clock and few otherwise; the last one brings as many in one hour of the night.
    private static string Samples()
    {
        var (accounts, credits) = (new StringBuilder(), new StringBuilder());
        var opened = 0;
        for (var at = First; at <= Noon; at += Interval)
        {
            var seconds = at.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
            accounts.Append(
                CultureInfo.InvariantCulture, $"bridge_accounts_opened_total{{instance=\"a\",tier=\"trial\"}} {opened} {seconds}\n");
            credits.Append(
                CultureInfo.InvariantCulture, $"bridge_accounts_credits_total{{instance=\"a\",tier=\"trial\"}} {5 * opened} {seconds}\n");
            opened += at.Hour == BusyHour || (at >= Today && at.Hour == NightHour) ? Busy : Quiet;
        }

        return $"# TYPE bridge_accounts_opened counter\n{accounts}# TYPE bridge_accounts_credits counter\n{credits}# EOF\n";
    }
}
