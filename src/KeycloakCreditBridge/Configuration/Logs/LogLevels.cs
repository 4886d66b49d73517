using Serilog.Events;
using Serilog.Extensions.Logging;

namespace KeycloakCreditBridge.Configuration.Logs;

/// <summary>
/// Which lines are written, by Serilog's section of levels. They are rules of the framework, so that a line below its level costs nothing,
/// and that each receiver of lines follows the same levels.
/// </summary>
internal static class LogLevels
{
    public const string Section = "Serilog:MinimumLevel";

    // Console and files are Serilog's; lines over OTLP are OpenTelemetry's.
    private static readonly string[] Receivers = ["Serilog", "OpenTelemetry"];

    private static readonly Dictionary<string, LogEventLevel> Defaults = new(StringComparer.Ordinal)
    {
        ["Microsoft"] = LogEventLevel.Warning,
        ["Microsoft.Hosting.Lifetime"] = LogEventLevel.Information,
        // /health/ready answers with it, as often as it is asked.
        ["Microsoft.Extensions.Diagnostics.HealthChecks"] = LogEventLevel.Fatal,
        ["System"] = LogEventLevel.Warning,
        ["Quartz"] = LogEventLevel.Warning,
        ["Npgsql"] = LogEventLevel.Warning,
    };

    /// <summary>The rules of a configuration; the default where a level is none.</summary>
    public static IEnumerable<LoggerFilterRule> Rules(IConfiguration configuration)
    {
        var section = configuration.GetSection(Section);
        var general = section["Default"] ?? section.Value
            ?? (section["ControlledBy"] is { } named ? configuration[$"Serilog:LevelSwitches:{named}"] : null);
        var levels = new Dictionary<string, LogEventLevel>(Defaults, StringComparer.Ordinal);
        foreach (var child in section.GetSection("Override").GetChildren())
            levels[child.Key] = Level(child.Value, levels.GetValueOrDefault(child.Key, LogEventLevel.Information));
        return Receivers.SelectMany(receiver => levels
            .Select(level => Rule(receiver, level.Key, level.Value))
            .Append(Rule(receiver, null, Level(general, LogEventLevel.Information))));
    }

    private static LogEventLevel Level(string? text, LogEventLevel otherwise) =>
        Enum.TryParse<LogEventLevel>(text, ignoreCase: true, out var level) ? level : otherwise;

    private static LoggerFilterRule Rule(string receiver, string? category, LogEventLevel level) =>
        new(receiver, category, LevelConvert.ToExtensionsLevel(level), filter: null);
}
