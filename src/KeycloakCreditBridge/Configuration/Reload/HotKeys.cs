using System.Reflection;
using KeycloakCreditBridge.Configuration.Logs;

namespace KeycloakCreditBridge.Configuration.Reload;

/// <summary>Which keys change without a restart: those of options with <see cref="HotAttribute"/>, and the levels of the log.</summary>
internal sealed class HotKeys(IEnumerable<BoundSection> sections)
{
    private readonly List<BoundSection> _sections = [.. sections];

    /// <summary>Whether the key changes without a restart.</summary>
    /// <param name="key">Such as `Provisioning:Tiers:trial:Credits`.</param>
    public bool IsHot(string key) => IsBelow(key, LogLevels.Section) || (PropertiesOf(key) is { } path && IsHot(path));

    /// <summary>Whether replicas may differ in this key.</summary>
    public bool IsOfReplica(string key) =>
        PropertiesOf(key)?.Any(member => member.IsDefined(typeof(OfReplicaAttribute))) != false || SecretKey.Is(key);

    /// <summary>Values of a source with the hot ones of another reading of it.</summary>
    public Dictionary<string, string?> Replace(IReadOnlyDictionary<string, string?> atStart, IReadOnlyDictionary<string, string?> read) =>
        new(atStart.Where(item => !IsHot(item.Key)).Concat(read.Where(item => IsHot(item.Key))), StringComparer.OrdinalIgnoreCase);

    private static bool IsBelow(string key, string section) =>
        key.StartsWith(section, StringComparison.OrdinalIgnoreCase)
        && (key.Length == section.Length || key[section.Length] == ConfigurationPath.KeyDelimiter[0]);

    // The mark nearest to the key counts.
    private static bool IsHot(IEnumerable<MemberInfo> path) => path.Reverse()
        .FirstOrDefault(member => member.IsDefined(typeof(HotAttribute)) || member.IsDefined(typeof(NeedsRestartAttribute)))
        ?.IsDefined(typeof(HotAttribute)) == true;

    // The options' type and the properties on the way to the key; null for a key of no options.
    private List<MemberInfo>? PropertiesOf(string key)
    {
        if (_sections.Where(section => IsBelow(key, section.Name)).MaxBy(section => section.Name.Length) is not { } of)
            return null;
        List<MemberInfo> path = [of.Type];
        var type = of.Type;
        foreach (var name in key[of.Name.Length..].Split(ConfigurationPath.KeyDelimiter, StringSplitOptions.RemoveEmptyEntries))
        {
            if (SectionShape.ElementType(type) is { } element && type != typeof(string))
            {
                type = element;
            }
            else if (SectionShape.Property(type, name) is { } property)
            {
                path.Add(property);
                type = property.PropertyType;
            }
            else
            {
                return null;
            }
        }

        return path;
    }
}

/// <summary>Keys whose values are in no log line and in no comparison.</summary>
internal static class SecretKey
{
    private static readonly string[] Endings = ["Secret", "Secrets", "Password", "Key", "Keys", "ConnectionString", "Token"];

    /// <summary>Whether a part of the key names a secret, such as `Metering:ApiKeys:0`.</summary>
    public static bool Is(string key) => key.Split(ConfigurationPath.KeyDelimiter)
        .Any(part => Endings.Any(ending => part.EndsWith(ending, StringComparison.OrdinalIgnoreCase)));
}
