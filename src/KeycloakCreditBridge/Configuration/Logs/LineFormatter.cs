using System.Globalization;
using System.Text.Json.Nodes;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Formatting.Display;

namespace KeycloakCreditBridge.Configuration.Logs;

/// <summary>
/// One line for each event, whatever its values hold: no name or answer of another program makes a line of its own. An exception follows
/// on indented lines.
/// </summary>
internal sealed class LineFormatter : ITextFormatter
{
    private const string Indent = "   ";

    private static readonly string[] Fields = [UserScope.Realm, UserScope.UserId, UserScope.TraceId];

    private static readonly MessageTemplateTextFormatter Line = new(
        "{Timestamp:yyyy-MM-dd HH:mm:ss.fffzzz} {Level:u3} {EventNumber,3} {Message:lj}", CultureInfo.InvariantCulture);

    public void Format(LogEvent logEvent, TextWriter output)
    {
        using var line = new StringWriter(CultureInfo.InvariantCulture);
        Line.Format(logEvent, line);
        if (logEvent.Properties.ContainsKey(UserScope.UserId))
            WriteFields(logEvent, line);
        output.WriteLine(VisibleText.Of(line.ToString()));
        if (logEvent.Exception is not { } exception)
            return;
        foreach (var part in exception.ToString().Split('\n'))
            output.WriteLine(Indent + VisibleText.Of(part.TrimEnd('\r')));
    }

    // Behind the sentence: Realm=shop UserId=8b1f… TraceId=0af7…
    private static void WriteFields(LogEvent logEvent, StringWriter line)
    {
        foreach (var name in Fields)
        {
            if (logEvent.Properties.GetValueOrDefault(name) is ScalarValue { Value: string value })
                line.Write($" {name}={(value.All(IsPlain) ? value : JsonValue.Create(value).ToJsonString())}");
        }
    }

    private static bool IsPlain(char character) =>
        char.IsAsciiLetterOrDigit(character) || character is '-' or '_' or '.' or ':' or '@' or '+';
}
