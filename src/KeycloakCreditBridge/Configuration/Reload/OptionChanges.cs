namespace KeycloakCreditBridge.Configuration.Reload;

/// <summary>What differs between two versions of the settings.</summary>
internal static class OptionChanges
{
    private const string None = "(none)";

    /// <summary>Each hot key whose value differs, as `key old → new`, in the order of the keys.</summary>
    public static IReadOnlyList<string> Between(
        IReadOnlyDictionary<string, string> before, IReadOnlyDictionary<string, string> after, HotKeys hot) =>
        [.. before.Keys.Union(after.Keys, StringComparer.OrdinalIgnoreCase)
            .Where(key => hot.IsHot(key) && before.GetValueOrDefault(key) != after.GetValueOrDefault(key))
            .Order(StringComparer.Ordinal)
            .Select(key => $"{key} {Text(before.GetValueOrDefault(key))} → {Text(after.GetValueOrDefault(key))}")];

    private static string Text(string? value) => value is null or "" ? None : value;
}
