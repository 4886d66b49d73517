using System.Collections;
using System.Globalization;
using System.Reflection;
using KeycloakCreditBridge.Configuration;
using Microsoft.Extensions.Configuration.CommandLine;
using Microsoft.Extensions.Configuration.EnvironmentVariables;
using Microsoft.Extensions.Configuration.Json;

namespace KeycloakCreditBridge.Page.Settings;

/// <summary>The settings that this replica works with, and where each value comes from. Secrets are never shown.</summary>
internal sealed class EffectiveSettings(IConfiguration configuration, IEnumerable<BoundSection> sections)
{
    private static readonly string[] SecretWords = ["secret", "password", "connectionstring"];

    /// <summary>All of them, by key.</summary>
    public IReadOnlyList<Setting> Read()
    {
        var defaults = sections.SelectMany(section => Defaults(section.Name, Activator.CreateInstance(section.Type)!))
            .GroupBy(setting => setting.Key, StringComparer.OrdinalIgnoreCase)
            .ToDictionary(group => group.Key, group => group.First(), StringComparer.OrdinalIgnoreCase);
        var given = configuration.AsEnumerable()
            .Where(item => item.Value is not null && sections.Any(section => IsPart(item.Key, section.Name)))
            .Select(item => new Setting(item.Key, Shown(item.Key, item.Value!), SourceOf(item.Key)));
        foreach (var setting in given)
            defaults[setting.Key] = setting;
        return [.. defaults.Values.OrderBy(setting => setting.Key, StringComparer.OrdinalIgnoreCase)];
    }

    private string SourceOf(string key) =>
        (configuration as IConfigurationRoot)?.Providers.LastOrDefault(provider => provider.TryGet(key, out _)) switch
        {
            JsonConfigurationProvider { Source.Path: { } path } => path,
            SecretFileProvider or EnvironmentVariablesConfigurationProvider => "environment",
            CommandLineConfigurationProvider => "command line",
            _ => "set by the program",
        };

    private static IEnumerable<Setting> Defaults(string path, object options)
    {
        foreach (var property in options.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(item => item.CanWrite))
        {
            var (key, value) = ($"{path}:{property.Name}", property.GetValue(options));
            if (value is null or string or ValueType)
                yield return new Setting(key, Shown(key, Convert.ToString(value, CultureInfo.InvariantCulture) ?? ""), Setting.Default);
            else if (value is not IEnumerable)
                foreach (var inner in Defaults(key, value))
                    yield return inner;
        }
    }

    // The last name of a key tells; a list has numbers behind it.
    private static string Shown(string key, string value)
    {
        var name = key.Split(ConfigurationPath.KeyDelimiter).Last(part => !part.All(char.IsAsciiDigit));
        return value.Length > 0 && (SecretWords.Any(word => name.Contains(word, StringComparison.OrdinalIgnoreCase))
            || name.EndsWith("Key", StringComparison.OrdinalIgnoreCase) || name.EndsWith("Keys", StringComparison.OrdinalIgnoreCase))
            ? "set"
            : value;
    }

    private static bool IsPart(string key, string section) =>
        key.StartsWith($"{section}{ConfigurationPath.KeyDelimiter}", StringComparison.OrdinalIgnoreCase);
}

/// <param name="Value">`set` for a secret.</param>
/// <param name="Source">Such as `environment`.</param>
internal sealed record Setting(string Key, string Value, string Source)
{
    public const string Default = "default";
}
