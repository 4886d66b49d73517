using System.Globalization;
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

    private static readonly MessageTemplateTextFormatter Line = new(
        "{Timestamp:yyyy-MM-dd HH:mm:ss.fffzzz} {Level:u3} {EventNumber,3} {Message:lj}", CultureInfo.InvariantCulture);

    public void Format(LogEvent logEvent, TextWriter output)
    {
        using var line = new StringWriter(CultureInfo.InvariantCulture);
        Line.Format(logEvent, line);
        output.WriteLine(VisibleText.Of(line.ToString()));
        if (logEvent.Exception is not { } exception)
            return;
        foreach (var part in exception.ToString().Split('\n'))
            output.WriteLine(Indent + VisibleText.Of(part.TrimEnd('\r')));
    }
}
