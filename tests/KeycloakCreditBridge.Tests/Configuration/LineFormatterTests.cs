using KeycloakCreditBridge.Configuration.Logs;
using Serilog;
using Serilog.Core;
using Serilog.Events;

namespace KeycloakCreditBridge.Tests.Configuration;

public sealed class LineFormatterTests
{
    [Theory]
    [InlineData("gold\n2026-01-01 00:00:00.000+00:00 INF 400 Account opened")]
    [InlineData("gold\r\n2026-01-01 00:00:00.000+00:00 INF 400 Account opened")]
    [InlineData("gold\u0085next\u2028next\u2029next")]
    [InlineData("\u202a\u202b\u202c\u202d\u202eevil\u2066\u2067\u2068\u2069")]
    [InlineData("\u001b[2Jcleared\b\0\t")]
    public void A_value_stays_within_its_line_and_is_readable_there(string value)
    {
        var line = Assert.Single(Write(logger => logger.Warning("Tier attribute value '{Value}' is no tier", value)));

        Assert.DoesNotContain(line, character => char.IsControl(character) || character is >= '\u2028' and <= '\u2069');
        Assert.Contains(@"\u{", line, StringComparison.Ordinal);
        Assert.EndsWith("' is no tier", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Letters_of_any_language_are_written_as_they_are() => Assert.EndsWith(
        " Zoë 王 עברית 😀", Assert.Single(Write(logger => logger.Information("{Name}", "Zoë 王 עברית 😀"))), StringComparison.Ordinal);

    [Fact]
    public void An_exception_follows_on_indented_lines_of_which_none_looks_like_an_event()
    {
        var lines = Write(logger => logger.Error(
            new InvalidOperationException("bad\n2026-01-01 00:00:00.000+00:00 INF 400 forged\u202e"), "It failed"));

        Assert.EndsWith("It failed", lines[0], StringComparison.Ordinal);
        Assert.All(lines.Skip(1), line => Assert.StartsWith("   ", line, StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains("forged\\u{202E}", StringComparison.Ordinal));
    }

    private static List<string> Write(Action<ILogger> log)
    {
        using var text = new StringWriter();
        using (var logger = new LoggerConfiguration().WriteTo.Sink(new TextSink(text)).CreateLogger())
            log(logger);
        return [.. text.ToString().TrimEnd('\n').Split('\n')];
    }

    private sealed class TextSink(TextWriter text) : ILogEventSink
    {
        public void Emit(LogEvent logEvent) => new LineFormatter().Format(logEvent, text);
    }
}
