using System.Collections;
using System.Collections.Frozen;
using System.Globalization;
using KeycloakCreditBridge.Configuration.Logs;

namespace KeycloakCreditBridge.Configuration.Reload;

/// <summary>Options as keys and values, defaults included and secrets left out.</summary>
internal static class OptionValues
{
    public static FrozenDictionary<string, string> Of(IServiceProvider services)
    {
        Dictionary<string, string> values = new(StringComparer.OrdinalIgnoreCase);
        foreach (var section in services.GetServices<BoundSection>())
            Add(values, section.Name, services.GetRequiredService(section.Type));
        var configuration = services.GetRequiredService<IConfiguration>();
        foreach (var (key, value) in configuration.GetSection(LogLevels.Section).AsEnumerable().Where(item => item.Value is not null))
            values[key] = value!;
        return values.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);
    }

    // 5.0 and 5.00 are one amount.
    private static string Text(object value) => value is decimal amount
        ? amount.ToString("0.############################", CultureInfo.InvariantCulture)
        : Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";

    private static void Add(Dictionary<string, string> values, string key, object? value)
    {
        if (value is null || SecretKey.Is(key))
            return;
        if (ValueKind.Of(value.GetType()) is not null)
        {
            values[key] = Text(value);
        }
        else if (value is IDictionary items)
        {
            foreach (DictionaryEntry item in items)
                Add(values, $"{key}:{item.Key}", item.Value);
        }
        else if (value is IEnumerable list)
        {
            var index = 0;
            foreach (var item in list)
                Add(values, $"{key}:{index++}", item);
        }
        else
        {
            foreach (var property in SectionShape.Properties(value.GetType()))
                Add(values, $"{key}:{property.Name}", property.GetValue(value));
        }
    }
}
