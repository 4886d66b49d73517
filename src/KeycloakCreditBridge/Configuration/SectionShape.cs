using System.Globalization;
using System.Reflection;

namespace KeycloakCreditBridge.Configuration;

/// <summary>
/// Compares a section's keys and values with the type that it is bound to. The binder itself stops at the first fault, or drops it.
/// </summary>
internal sealed class SectionShape(IReadOnlyCollection<BoundSection> sections)
{
    /// <summary>What does not fit, in the order of the keys.</summary>
    public IReadOnlyList<ShapeProblem> Problems(IConfigurationSection section, Type type)
    {
        List<ShapeProblem> problems = [];
        Visit(section, type, problems);
        return problems;
    }

    private void Visit(IConfigurationSection section, Type type, List<ShapeProblem> problems)
    {
        if (ValueKind.Of(type) is { } kind)
            VisitValue(section, kind, problems);
        else if (ElementType(type) is { } element)
            VisitElements(section, element, problems);
        else
            VisitObject(section, type, problems);
    }

    private static void VisitValue(IConfigurationSection section, ValueKind kind, List<ShapeProblem> problems)
    {
        if (section.GetChildren().Any())
            Add(problems, section, $"has keys below it: it is {kind.Expected}, such as {kind.Example}", preventsBinding: true);
        else if (section.Value is { } value && !kind.Accepts(value))
            Add(problems, section, $"is '{value}': give {kind.Expected}, such as {kind.Example}", preventsBinding: true);
    }

    private void VisitElements(IConfigurationSection section, Type element, List<ShapeProblem> problems)
    {
        var children = section.GetChildren().ToList();
        // The value itself is not shown: lists may hold secrets.
        if (!string.IsNullOrEmpty(section.Value))
            Add(problems, section, $"is a single value: it has several, each under a key of its own such as {section.Path}:0",
                children.Count == 0);
        foreach (var child in children)
            Visit(child, element, problems);
    }

    private void VisitObject(IConfigurationSection section, Type type, List<ShapeProblem> problems)
    {
        var children = section.GetChildren().ToList();
        if (!string.IsNullOrEmpty(section.Value))
            Add(problems, section, $"is a single value: it has keys below it, such as {section.Path}:{Properties(type)[0].Name}",
                children.Count == 0);
        foreach (var child in children)
        {
            if (Property(type, child.Key) is { } property)
                Visit(child, property.PropertyType, problems);
            else if (!IsOtherSection(child.Path))
                Add(problems, child, Unknown(child, type), preventsBinding: false);
        }
    }

    private static void Add(List<ShapeProblem> problems, IConfigurationSection section, string what, bool preventsBinding) =>
        problems.Add(new ShapeProblem(section.Path, $"{section.Path} {what}.", preventsBinding));

    private static string Unknown(IConfigurationSection child, Type type)
    {
        var names = Properties(type).Select(property => property.Name).ToList();
        var parent = child.Path[..^child.Key.Length];
        return NearestKey.Of(child.Key, names) is { } meant
            ? $"is not a setting: did you mean {parent}{meant}"
            : $"is not a setting: {parent.TrimEnd(':')} has {string.Join(", ", names)}";
    }

    private bool IsOtherSection(string path) => sections.Any(section =>
        string.Equals(section.Name, path, StringComparison.OrdinalIgnoreCase)
        || section.Name.StartsWith(path + ConfigurationPath.KeyDelimiter, StringComparison.OrdinalIgnoreCase));

    /// <summary>The setting of this name; null where the type has none.</summary>
    public static PropertyInfo? Property(Type type, string key) =>
        Array.Find(Properties(type), property => string.Equals(property.Name, key, StringComparison.OrdinalIgnoreCase));

    /// <summary>What of a type the configuration sets.</summary>
    public static PropertyInfo[] Properties(Type type) =>
        [.. type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.CanWrite)];

    /// <summary>The type of a list's entries or a dictionary's values; null for other types.</summary>
    public static Type? ElementType(Type type)
    {
        if (type.IsArray)
            return type.GetElementType();
        var generic = type.GetInterfaces().Append(type).FirstOrDefault(candidate =>
            candidate.IsGenericType && candidate.GetGenericTypeDefinition() == typeof(IEnumerable<>))?.GetGenericArguments()[0];
        return generic is { IsGenericType: true } && generic.GetGenericTypeDefinition() == typeof(KeyValuePair<,>)
            ? generic.GetGenericArguments()[1]
            : generic;
    }
}

/// <param name="Path">The key that it is about.</param>
/// <param name="PreventsBinding">The section cannot be bound to its options while the key is there.</param>
internal sealed record ShapeProblem(string Path, string Text, bool PreventsBinding);

/// <summary>A kind of single value, and how it is described in an error.</summary>
internal sealed record ValueKind(string Expected, string Example, Func<string, bool> Accepts)
{
    private static readonly CultureInfo Culture = CultureInfo.InvariantCulture;

    /// <summary>The kind of a type; null for lists and for types with keys below them.</summary>
    public static ValueKind? Of(Type type)
    {
        if (Nullable.GetUnderlyingType(type) is { } underlying)
            return Of(underlying) is { } kind ? kind with { Accepts = text => text.Length == 0 || kind.Accepts(text) } : null;
        if (type.IsEnum)
        {
            var names = Enum.GetNames(type);
            return new($"one of {string.Join(", ", names)}", names[0], text => Enum.TryParse(type, text, ignoreCase: true, out _));
        }

        return type == typeof(string) ? new("text", "abc", _ => true)
            : type == typeof(bool) ? new("true or false", "true", text => bool.TryParse(text, out _))
            : type == typeof(int) ? new("a whole number", "100", text => int.TryParse(text, NumberStyles.Integer, Culture, out _))
            : type == typeof(long) ? new("a whole number", "100", text => long.TryParse(text, NumberStyles.Integer, Culture, out _))
            : type == typeof(decimal) ? new("a number", "5.00", text => decimal.TryParse(text, NumberStyles.Float, Culture, out _))
            : type == typeof(double) ? new("a number", "0.5", text => double.TryParse(text, NumberStyles.Float, Culture, out _))
            : type == typeof(TimeSpan) ? new("a time span as [days.]hours:minutes:seconds", "00:00:30 or 30.00:00:00", IsTimeSpan)
            : type == typeof(DateTimeOffset)
                ? new("an instant", "2026-01-31T00:00:00Z", text => DateTimeOffset.TryParse(text, Culture, out _))
            : type == typeof(Uri)
                ? new("an address", "https://sso.example.com", text => Uri.TryCreate(text, UriKind.RelativeOrAbsolute, out _))
            : null;
    }

    // A bare number would mean days, which is hardly ever meant.
    private static bool IsTimeSpan(string text) => text.Contains(':', StringComparison.Ordinal) && TimeSpan.TryParse(text, Culture, out _);
}
