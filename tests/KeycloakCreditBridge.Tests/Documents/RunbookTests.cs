using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;

namespace KeycloakCreditBridge.Tests.Documents;

/// <summary>The runbook says what to do about a line of the log.</summary>
public sealed partial class RunbookTests
{
    private static readonly (Type Type, LoggerMessageAttribute Message)[] Messages =
    [
        .. typeof(Program).Assembly.GetTypes()
            .SelectMany(type => type.GetMethods(
                BindingFlags.Instance | BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            .Where(method => method.IsDefined(typeof(LoggerMessageAttribute)))
            .Select(method => (method.DeclaringType!, method.GetCustomAttribute<LoggerMessageAttribute>()!)),
    ];

    private static readonly Dictionary<int, LogLevel> Events =
        Messages.ToDictionary(logged => logged.Message.EventId, logged => logged.Message.Level);

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

    [Fact]
    public void Every_log_event_has_an_id_of_its_room()
    {
        (int First, int Last, string[] Rooms)[] ranges =
        [
            .. IdRange().Matches(File.ReadAllText(Path.Combine(Repository.Top, "CONTRIBUTING.md"))).Select(row => (
                int.Parse(row.Groups["first"].Value, CultureInfo.InvariantCulture),
                int.Parse(row.Groups["last"].Value, CultureInfo.InvariantCulture),
                row.Groups["rooms"].Value.Split(" and "))),
        ];
        Assert.NotEmpty(ranges);
        Findings.None(Messages
            .Where(logged => !Array.Exists(ranges, range =>
                logged.Message.EventId >= range.First && logged.Message.EventId <= range.Last && range.Rooms.Contains(RoomOf(logged.Type))))
            .Select(logged => $"{logged.Message.EventId} of {logged.Type.FullName} is no id of {RoomOf(logged.Type)}"));
    }

    // The namespace begins with the name of the program.
    private static string RoomOf(Type type) => type.Namespace!.Split('.')[1];

    [GeneratedRegex(@"^\| (?<first>[0-9]+)–(?<last>[0-9]+) \| (?<rooms>[^|]+?) \|", RegexOptions.Multiline)]
    private static partial Regex IdRange();

    [GeneratedRegex("<a id=\"event-(?<id>[0-9]+)\">")]
    private static partial Regex Anchor();
}
