using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Grants.Policy.Settings;

namespace KeycloakCreditBridge.Grants.Experiments;

/// <summary>Compares what is frozen of an experiment with what is configured.</summary>
internal static class ExperimentDefinition
{
    /// <summary>Each difference as `Arms:1:Credits was 5 and is 7`; none where both are the same.</summary>
    public static IReadOnlyList<string> Differences(string frozen, string configured)
    {
        var (before, after) = (Values(frozen), Values(configured));
        return [.. before.Keys.Union(after.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal)
            .Where(key => before.GetValueOrDefault(key, "") != after.GetValueOrDefault(key, ""))
            .Select(key => $"{key} was {Text(before.GetValueOrDefault(key))} and is {Text(after.GetValueOrDefault(key))}")];
    }

    /// <summary>The arms of a stored definition, in their order, each with its weight.</summary>
    public static IReadOnlyList<FrozenArm> ArmsOf(string definition)
    {
        using var document = JsonDocument.Parse(definition);
        return [.. document.RootElement.GetProperty("Arms").EnumerateArray().Select(arm => new FrozenArm(
            arm.GetProperty("Name").GetString()!, Number(arm, "Weight"), Number(arm, "Credits")))];
    }

    /// <summary>The metric and the planned size of a stored definition.</summary>
    public static (string Metric, int Planned) GoalOf(string definition)
    {
        using var document = JsonDocument.Parse(definition);
        return (document.RootElement.GetProperty("Metric").GetString()!, document.RootElement.GetProperty("Planned").GetInt32());
    }

    private static decimal Number(JsonElement arm, string name) =>
        decimal.Parse(arm.GetProperty(name).GetString()!, CultureInfo.InvariantCulture);

    private static Dictionary<string, string> Values(string definition)
    {
        Dictionary<string, string> values = new(StringComparer.Ordinal);
        using var document = JsonDocument.Parse(definition);
        Add(document.RootElement, "");
        return values;

        void Add(JsonElement element, string key)
        {
            if (element.ValueKind == JsonValueKind.Object)
                foreach (var property in element.EnumerateObject())
                    Add(property.Value, key.Length == 0 ? property.Name : $"{key}:{property.Name}");
            else if (element.ValueKind == JsonValueKind.Array)
                foreach (var (index, item) in element.EnumerateArray().Index())
                    Add(item, FormattableString.Invariant($"{key}:{index}"));
            else
                values[key] = element.ValueKind == JsonValueKind.False ? "" : element.ToString();
        }
    }

    private static string Text(string? value) => string.IsNullOrEmpty(value) ? "not set" : value;
}

/// <param name="Weight">Its part of the users in the experiment.</param>
internal sealed record FrozenArm(string Name, decimal Weight, decimal Credits);

[JsonSerializable(typeof(RuleWhenOptions))]
internal sealed partial class ExperimentJson : JsonSerializerContext;
