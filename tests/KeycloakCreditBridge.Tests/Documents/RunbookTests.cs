using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;

namespace KeycloakCreditBridge.Tests.Documents;

/// <summary>The runbook says what to do about a line of the log.</summary>
public sealed partial class RunbookTests
{
    private static readonly Dictionary<int, LogLevel> Events = typeof(Program).Assembly.GetTypes()
        .SelectMany(type => type.GetMethods(
            BindingFlags.Instance | BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
        .Select(method => method.GetCustomAttribute<LoggerMessageAttribute>())
        .OfType<LoggerMessageAttribute>()
        .ToDictionary(logged => logged.EventId, logged => logged.Level);

    private static readonly int[] Explained =
    [
        .. Anchor().Matches(File.ReadAllText(Path.Combine(Repository.Top, "docs", "runbook.md")))
            .Select(anchor => int.Parse(anchor.Groups["id"].Value, CultureInfo.InvariantCulture)),
    ];

    [Fact]
    public void Every_log_event_above_debug_has_a_line_in_the_runbook()
    {
        Assert.True(Events.Count > 50);
        Assert.Empty(Events.Where(logged => logged.Value > LogLevel.Debug).Select(logged => logged.Key).Except(Explained));
    }

    [Fact]
    public void The_runbook_explains_no_event_that_does_not_exist() => Assert.Empty(Explained.Except(Events.Keys));

    [GeneratedRegex("<a id=\"event-(?<id>[0-9]+)\">")]
    private static partial Regex Anchor();
}
