using System.Diagnostics.Metrics;
using System.Reflection;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Configuration.Reload;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Documents;

/// <summary>The tables of settings and metrics agree with the program.</summary>
public sealed partial class ReferenceTests
{
    private static readonly string Top = Repository.Top;

    [Fact]
    public void The_configuration_table_has_every_setting_with_its_default_and_whether_it_needs_a_restart()
    {
        using var services = Program.Compose([]).Services.BuildServiceProvider();
        var settings = services.GetServices<BoundSection>()
            .SelectMany(section => Settings(section.Name, section.Type, Activator.CreateInstance(section.Type)))
            .ToDictionary(setting => setting.Key, setting => setting.Default, StringComparer.Ordinal);
        var rows = ConfigurationRow().Matches(Page("configuration.md"))
            .Where(row => !row.Groups["key"].Value.StartsWith("Serilog", StringComparison.Ordinal))
            .ToDictionary(row => row.Groups["key"].Value, row => row.Groups["default"].Value, StringComparer.Ordinal);
        Assert.Equal(settings.Keys.Order(StringComparer.Ordinal), rows.Keys.Order(StringComparer.Ordinal));
        var hot = services.GetRequiredService<HotKeys>();
        Assert.Equal(
            rows.Keys.Where(hot.IsHot),
            ConfigurationRow().Matches(Page("configuration.md"))
                .Where(row => row.Groups["changes"].Value == "hot" && rows.ContainsKey(row.Groups["key"].Value))
                .Select(row => row.Groups["key"].Value));
        foreach (var (key, expected) in settings.Where(setting => setting.Value is not null))
            Assert.True(rows[key] == expected, $"docs/configuration.md says that {key} is '{rows[key]}' by default; it is '{expected}'.");
    }

    [Fact]
    public void The_metrics_table_has_every_instrument_and_no_other()
    {
        using var services = Program.Compose(
            ["--Storage:ConnectionString=Host=db", "--Keycloak:Url=https://sso.example.com", "--Keycloak:ClientSecret=secret",
                "--Keycloak:Realms:0:Name=demo"]).Services.BuildServiceProvider();
        var meter = services.GetRequiredService<Meter>();
        List<string> names = [];
        using var listener = new MeterListener
        {
            // Tests beside this one make instruments too, on their own meters and threads.
            InstrumentPublished = (instrument, _) =>
            {
                if (ReferenceEquals(instrument.Meter, meter))
                    names.Add(instrument.Name);
            },
        };
        listener.Start();
        var makers = typeof(Program).Assembly.GetTypes().Where(type => type
            .GetConstructors(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance)
            .Any(made => made.GetParameters().Any(
                parameter => parameter.ParameterType == typeof(Meter) || parameter.ParameterType == typeof(IMeterFactory))));
        foreach (var type in makers)
            _ = ActivatorUtilities.GetServiceOrCreateInstance(services, type);
        var documented = InstrumentRow().Matches(Page("metrics.md")).SelectMany(row => Names(row.Groups["names"].Value));
        Assert.Equal(names.Distinct().Order(StringComparer.Ordinal), documented.Order(StringComparer.Ordinal));
    }

    private static string Page(string name) => File.ReadAllText(Path.Combine(Top, "docs", name));

    private static IEnumerable<(string Key, string? Default)> Settings(string path, Type type, object? value)
    {
        foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.CanWrite))
        {
            var key = $"{path}:{property.Name}";
            var of = property.PropertyType;
            var held = value is null ? null : property.GetValue(value);
            if (of == typeof(List<string>))
                yield return ($"{key}:0", null);
            else if (of.IsGenericType && of.GetGenericTypeDefinition() == typeof(List<>))
                foreach (var inner in Settings($"{key}:0", of.GenericTypeArguments[0], null))
                    yield return inner;
            else if (of == typeof(Dictionary<string, decimal>))
                yield return ($"{key}:<name>", null);
            else if (of.IsGenericType && of.GetGenericTypeDefinition() == typeof(Dictionary<,>))
                foreach (var inner in Settings($"{key}:{NameIn(property.Name)}", of.GenericTypeArguments[1], null))
                    yield return inner;
            else if (of.IsClass && of != typeof(string))
                foreach (var inner in Settings(key, of, held))
                    yield return inner;
            else
                yield return (key, held is null or "" ? null : $"`{(held is bool flag ? (flag ? "true" : "false") : held)}`");
        }
    }

    private static string NameIn(string dictionary) => dictionary switch
    {
        "Realms" => "shop",
        "Tasks" => "mfa",
        "Signals" => "same_inbox",
        "Endpoints" => "crm",
        _ => "trial",
    };

    // `a.b.c`, `.d` stands for a.b.c and a.b.d.
    private static IEnumerable<string> Names(string cell)
    {
        var stem = "";
        foreach (var name in Quoted().Matches(cell).Select(match => match.Groups[1].Value))
        {
            if (!name.StartsWith('.'))
                stem = name[..name.LastIndexOf('.')];
            yield return name.StartsWith('.') ? stem + name : name;
        }
    }

    [GeneratedRegex(
        @"^\| `(?<key>[A-Z][A-Za-z0-9]+:[A-Za-z0-9_:<>]+)` \| .* \| (?<default>.*?) ?\| (?<changes>hot|restart) \|$",
        RegexOptions.Multiline)]
    private static partial Regex ConfigurationRow();

    [GeneratedRegex(@"^\| (?<names>`bridge\..*?) \|", RegexOptions.Multiline)]
    private static partial Regex InstrumentRow();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Quoted();
}
