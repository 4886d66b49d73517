using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace KeycloakCreditBridge.Telemetry;

/// <summary>Prometheus's text format, version 0.0.4.</summary>
internal static class PrometheusText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>Writes series, each instrument with its help and type once.</summary>
    public static string Write(IEnumerable<SeriesSnapshot> series)
    {
        var text = new StringBuilder();
        foreach (var ofOneName in series.GroupBy(item => Name(item.Instrument.Name, item.Instrument.Unit, Type(item))))
        {
            var type = Type(ofOneName.First());
            text.Append("# HELP ").Append(ofOneName.Key).Append(' ').Append(Help(ofOneName.First().Instrument.Description)).Append('\n');
            text.Append("# TYPE ").Append(ofOneName.Key).Append(' ').Append(type).Append('\n');
            foreach (var item in ofOneName)
                Append(text, ofOneName.Key, type, item);
        }

        return text.ToString();
    }

    /// <summary>Tags as labels, sorted, so that another order of the same tags makes no second series.</summary>
    public static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (tags.IsEmpty)
            return "";
        var sorted = tags.ToArray();
        Array.Sort(sorted, (left, right) => string.CompareOrdinal(left.Key, right.Key));
        return string.Join(',', sorted.Select(tag => $"{Identifier(tag.Key)}=\"{LabelValue(tag.Value)}\""));
    }

    private static void Append(StringBuilder text, string name, string type, SeriesSnapshot item)
    {
        if (type != "histogram")
        {
            Line(name, item.Labels, item.Value);
            return;
        }

        foreach (var (bound, count) in item.Buckets)
            Line($"{name}_bucket", Bucket(Number(bound)), count);
        Line($"{name}_bucket", Bucket("+Inf"), item.Count);
        Line($"{name}_sum", item.Labels, item.Value);
        Line($"{name}_count", item.Labels, item.Count);

        string Bucket(string bound) => item.Labels.Length == 0 ? $"le=\"{bound}\"" : $"{item.Labels},le=\"{bound}\"";

        void Line(string series, string labels, double value)
        {
            text.Append(series);
            if (labels.Length > 0)
                text.Append('{').Append(labels).Append('}');
            text.Append(' ').Append(Number(value)).Append('\n');
        }
    }

    private static string Type(SeriesSnapshot item)
    {
        if (MetricsCollector.IsAnyOf(item.Instrument, typeof(Histogram<>)))
            return "histogram";
        return MetricsCollector.IsAnyOf(item.Instrument, typeof(Counter<>), typeof(ObservableCounter<>)) ? "counter" : "gauge";
    }

    private static string Name(string instrument, string? unit, string type)
    {
        var name = Identifier(Plural(instrument)) + unit switch { "s" => "_seconds", "By" => "_bytes", _ => "" };
        return type == "counter" ? $"{name}_total" : name;
    }

    // In Prometheus `_count` is a part of a histogram: .NET's `assembly.count` becomes `assemblies`.
    private static string Plural(string instrument) => !instrument.EndsWith(".count", StringComparison.Ordinal) ? instrument
        : instrument.EndsWith("y.count", StringComparison.Ordinal) ? $"{instrument[..^7]}ies" : $"{instrument[..^6]}s";

    private static string Identifier(string text) =>
        string.Concat(text.Select(character => char.IsAsciiLetterOrDigit(character) ? character : '_'));

    private static string LabelValue(object? value) =>
        Help(Convert.ToString(value, CultureInfo.InvariantCulture)).Replace("\"", "\\\"", StringComparison.Ordinal);

    private static string Help(string? description) =>
        (description ?? "").Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
