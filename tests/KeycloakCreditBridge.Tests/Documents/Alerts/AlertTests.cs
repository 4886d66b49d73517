using System.Text.RegularExpressions;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Outbox;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Documents.Alerts;

/// <summary>
/// The rules in docs/prometheus are valid and fire as their examples say; they and the dashboards ask for metrics that there are.
/// </summary>
[StartsPrograms]
public sealed partial class AlertTests(PostgresFixture postgres)
{
    private static readonly string Rules = RuleTimeline.Rules;

    private static readonly string Examples =
        Path.Combine(Repository.Top, "tests", "KeycloakCreditBridge.Tests", "Documents", "Alerts", "alerts.test.yaml");

    [Fact]
    public async Task Promtool_finds_the_rules_valid_and_fires_them_as_the_examples_say()
    {
        Promtool.Require();
        using var folder = InstanceFolder.Claim(Path.GetTempPath(), "promtool");
        foreach (var file in new[] { Rules, Examples })
            File.Copy(file, Path.Combine(folder.Path, Path.GetFileName(file)));

        Assert.Equal("", await Promtool.ComplaintsAsync("", "check", "rules", Path.Combine(folder.Path, "alerts.yaml")));
        Assert.Equal("", await Promtool.ComplaintsAsync("", "test", "rules", Path.Combine(folder.Path, "alerts.test.yaml")));
    }

    [Fact]
    public async Task Every_metric_that_a_rule_or_a_dashboard_asks_for_is_shown_by_a_running_bridge()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 1);
        // One that began once, so that its sample ratio is shown from the start.
        await fixture.Database.ExecuteAsync(
            """
            insert into experiments (realm, experiment, version, definition, started_at)
            values ('demo', 'earlier', 1, '{"Metric": "spent_within_14d", "Planned": 1, "Arms": [
                {"Name": "control", "Weight": "0.5", "Credits": "5"}, {"Name": "more", "Weight": "0.5", "Credits": "6"}]}', now())
            """);
        await using var bridge = await BridgeFixture
            .Build(
                fixture.Database, fixture.Keycloak, ("Intake:Poll:Enabled", "true"), ("Grants:Welcome:Rules:0:Credits", "6"),
                ("Grants:Welcome:Rules:0:When:EmailDomain", "example.com"), ("Grants:Welcome:Rules:0:Budget:Credits", "60"),
                ("Grants:Referrals:ReferrerCredits", "5"), ("Grants:Referrals:RefereeCredits", "3"),
                ("Grants:Experiments:trial:From", "2026-01-01"), ("Grants:Experiments:trial:Planned", "9"),
                ("Grants:Experiments:trial:Arms:0:Name", "control"), ("Grants:Experiments:trial:Arms:0:Weight", "0.5"),
                ("Grants:Experiments:trial:Arms:0:Credits", "5"), ("Grants:Experiments:trial:Arms:1:Name", "more"),
                ("Grants:Experiments:trial:Arms:1:Weight", "0.5"), ("Grants:Experiments:trial:Arms:1:Credits", "6"),
                ("Intake:Broker:Url", "amqp://127.0.0.1:9"), ("Intake:Broker:UserName", "credit-bridge"),
                ("Intake:Broker:Password", "secret"), ("Outbox:Enabled", "true"), ("Outbox:Endpoints:crm:Url", "https://127.0.0.1:9"),
                ("Outbox:Endpoints:crm:AllowPrivate", "true"), ("Outbox:Endpoints:crm:Secret", SinkFixture.Secret))
            .StartAsync();
        await ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.AllUsers, null, TestContext.Current.CancellationToken);
        var asked = Directory.GetFiles(Path.Combine(Repository.Top, "docs", "grafana")).Append(Rules)
            .SelectMany(file => Metric().Matches(File.ReadAllText(file)).Select(match => match.Value))
            .Distinct(StringComparer.Ordinal).ToList();
        Assert.True(asked.Count > 40);

        List<string> missing;
        await Eventually.TrueAsync(
            async () =>
            {
                var shown = await bridge.ReadMetricsAsync();
                missing = [.. asked.Where(name => !shown.Contains($"\n{name}", StringComparison.Ordinal))];
                return missing.Count == 0;
            },
            $"all of these are shown: {string.Join(", ", asked)}");
    }

    [Fact]
    public void Every_alert_is_fired_by_its_fault_or_by_an_example()
    {
        var faults = string.Concat(
            Directory.GetFiles(Path.GetDirectoryName(Examples)!, "*Tests.cs").Append(Examples).Select(File.ReadAllText));

        var alerts = Alert().Matches(File.ReadAllText(Rules)).Select(alert => alert.Groups[1].Value).ToList();

        Findings.None(alerts.Where(alert => !faults.Contains(alert, StringComparison.Ordinal)));
    }

    [Fact]
    public void Every_rule_names_a_section_of_the_runbook()
    {
        var runbook = File.ReadAllText(Path.Combine(Repository.Top, "docs", "runbook.md"));
        var anchors = Heading().Matches(runbook)
            .Select(heading => NotOfAnchor().Replace(heading.Groups[1].Value.ToLowerInvariant(), "").Replace(' ', '-'))
            .Concat(Anchor().Matches(runbook).Select(anchor => anchor.Groups[1].Value))
            .ToHashSet(StringComparer.Ordinal);
        var rules = File.ReadAllText(Rules);

        var named = Section().Matches(rules).Select(section => section.Groups[1].Value).ToList();

        Assert.Equal(Alert().Count(rules), named.Count);
        Findings.None(named.Where(section => !anchors.Contains(section)));
    }

    [GeneratedRegex(@"\b(bridge|http_server|http_client|dotnet|db_client)_[a-z_]+(?=[{\[) ]|""|$)", RegexOptions.Multiline)]
    private static partial Regex Metric();

    [GeneratedRegex(@"^#+ (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex("[^a-z0-9 _-]")]
    private static partial Regex NotOfAnchor();

    [GeneratedRegex("<a id=\"([^\"]+)\"")]
    private static partial Regex Anchor();

    [GeneratedRegex(@"runbook: docs/runbook\.md#(\S+)")]
    private static partial Regex Section();

    [GeneratedRegex(@"- alert: (\w+)")]
    private static partial Regex Alert();
}
