using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Tests.Documents.Alerts;

/// <summary>
/// What Prometheus scraped of one bridge, each page seen for a while, and which alerts of docs/prometheus/alerts.yaml fire then. Time is
/// compressed: a page that was scraped once stands for the minutes that the rules ask for.
/// </summary>
internal sealed partial class RuleTimeline(TimeSpan interval)
{
    private const string Target = "instance=\"bridge:8085\",job=\"credit-bridge\"";

    /// <summary>Where docs/prometheus/alerts.yaml is.</summary>
    public static readonly string Rules = Path.Combine(Repository.Top, "docs", "prometheus", "alerts.yaml");

    private static readonly string RulesText = File.ReadAllText(Rules);

    private readonly Dictionary<string, List<string>> _series = new(StringComparer.Ordinal);
    private readonly List<(TimeSpan At, string[] Alerts)> _expected = [];
    private readonly List<(TimeSpan At, string Alert, string Labels, string Summary, string Section)> _texts = [];
    private double? _origin;
    private int _samples;

    /// <summary>Scrapes each minute.</summary>
    public RuleTimeline()
        : this(TimeSpan.FromMinutes(1))
    {
    }

    /// <summary>The bridge showed this page for so long; null where it could not be scraped.</summary>
    public RuleTimeline Scraped(string? page, TimeSpan duration)
    {
        var count = (int)(duration / interval);
        Add($"up{{{Target}}}", page is null ? "0" : "1", count);
        foreach (var line in (page ?? "").Split('\n'))
        {
            if (Sample().Match(line) is { Success: true } sample
                && RulesText.Contains(sample.Groups["name"].Value, StringComparison.Ordinal))
            {
                var labels = string.Join(',', new[] { sample.Groups["labels"].Value, Target }.Where(text => text.Length > 0));
                Add($"{sample.Groups["name"].Value}{{{labels}}}", Value(sample), count);
            }
        }

        _samples += count;
        // A series that a scrape does not bring has ended: Prometheus marks it so.
        foreach (var values in _series.Values.Where(values => values.Count < _samples))
            values.AddRange(Enumerable.Repeat("_", count - 1).Prepend("stale"));
        return this;
    }

    /// <summary>The bridge was scraped before, and one of its series had these values.</summary>
    /// <param name="series">With its labels.</param>
    /// <param name="duration">How long.</param>
    /// <param name="value">The value after so many intervals.</param>
    public RuleTimeline Recorded(string series, TimeSpan duration, Func<int, double> value)
    {
        var count = (int)(duration / interval);
        var labels = series.Insert(series.Length - 1, $",{Target}");
        _series[labels] = [.. Enumerable.Range(0, count).Select(number => value(number).ToString("R", CultureInfo.InvariantCulture))];
        _samples = count;
        return this;
    }

    /// <summary>From here on these alerts fire and no others.</summary>
    public RuleTimeline Fires(params string[] alerts)
    {
        _expected.Add(((_samples - 1) * interval, alerts));
        return this;
    }

    /// <summary>An operator is told so now.</summary>
    public RuleTimeline Says(string alert, string labels, string summary, string section)
    {
        _texts.Add(((_samples - 1) * interval, alert, labels, summary, section));
        return this;
    }

    /// <summary>Has Prometheus' own evaluation of the rules confirm it.</summary>
    public async Task AssertAsync()
    {
        using var folder = InstanceFolder.Claim(Path.GetTempPath(), "promtool");
        var tests = Path.Combine(folder.Path, "tests.yaml");
        await File.WriteAllTextAsync(tests, Yaml(), TestContext.Current.CancellationToken);
        var complaints = await Promtool.ComplaintsAsync("", "test", "rules", tests);
        Assert.True(complaints.Length == 0, complaints);
    }

    // The tool's time begins in 1970, so the only time among the values is moved by as much.
    private string Value(Match sample)
    {
        var text = sample.Groups["value"].Value;
        if (sample.Groups["name"].Value != "bridge_started_seconds")
            return text;
        var value = double.Parse(text, CultureInfo.InvariantCulture);
        _origin ??= value;
        return (value - _origin.Value).ToString("R", CultureInfo.InvariantCulture);
    }

    private void Add(string series, string value, int count)
    {
        if (!_series.TryGetValue(series, out var values))
            _series[series] = values = [];
        // What was not on the pages before has no values there.
        if (values.Count < _samples)
            values.AddRange(Enumerable.Repeat("_", _samples - values.Count));
        values.AddRange(Enumerable.Repeat(value, count));
    }

    private string Yaml()
    {
        var seconds = interval.TotalSeconds.ToString(CultureInfo.InvariantCulture);
        var yaml = new StringBuilder($"rule_files: ['{Rules}']\nevaluation_interval: {seconds}s\ntests:\n  - interval: {seconds}s\n");
        yaml.Append("    input_series:\n");
        foreach (var (series, values) in _series)
            yaml.Append($"      - series: '{Quoted(series)}'\n        values: '{string.Join(' ', values)}'\n");
        yaml.Append("    promql_expr_test:\n");
        foreach (var (at, alerts) in _expected)
        {
            yaml.Append("      - expr: group by (alertname) (ALERTS{alertstate=\"firing\"})\n");
            yaml.Append(CultureInfo.InvariantCulture, $"        eval_time: {at.TotalSeconds}s\n        exp_samples:\n");
            foreach (var alert in alerts)
                yaml.Append($"          - {{ labels: '{{alertname=\"{alert}\"}}', value: 1 }}\n");
        }

        yaml.Append("    alert_rule_test:\n");
        foreach (var (at, alert, labels, summary, section) in _texts)
        {
            yaml.Append(CultureInfo.InvariantCulture, $"      - {{ eval_time: {at.TotalSeconds}s, alertname: {alert}, exp_alerts: [ {{ ");
            yaml.Append($"exp_labels: {{ {labels} }}, ");
            yaml.Append($"exp_annotations: {{ summary: '{summary}', runbook: 'docs/runbook.md#{section}' }} }} ] }}\n");
        }

        return yaml.ToString();
    }

    private static string Quoted(string text) => text.Replace("'", "''", StringComparison.Ordinal);

    [GeneratedRegex(@"^(?<name>[a-z_]+)(?:\{(?<labels>.*)\})? (?<value>\S+)$")]
    private static partial Regex Sample();
}
