using System.Text;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Outbox;
using KeycloakCreditBridge.Outbox.Endpoints;
using KeycloakCreditBridge.Tests.Documents.Install;
using KeycloakCreditBridge.Tests.Outbox;
using KeycloakCreditBridge.Tests.Running;

namespace KeycloakCreditBridge.Tests.Documents;

/// <summary>docs/events.md tells receivers what they get.</summary>
[StartsPrograms]
public sealed partial class EventExampleTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(Repository.Top, "docs", "events.md"));

    [Fact]
    public async Task A_receiver_that_does_as_the_documents_say_comes_to_the_signature_that_is_sent()
    {
        const string Body = """{"type":"credits.low","data":{"reason":"it costs 100 %"}}""";
        var function = Function().Match(Page).Value.Replace("\n    ", "\n", StringComparison.Ordinal);
        var output = await ShellText.RunAsync(
            $"{function}\nsignature", ("SECRET", SinkFixture.Secret), ("ID", "an-id"), ("TIMESTAMP", "1796054400"), ("BODY", Body));
        Assert.Equal(SigningKey.Sign([SinkFixture.Secret], "an-id", 1_796_054_400, Encoding.UTF8.GetBytes(Body)), $"v1,{output.Trim()}");
    }

    [Fact]
    public void Every_event_has_its_row() => Assert.Equal(EventTypes.All, Row().Matches(Page).Select(row => row.Groups["type"].Value));

    [GeneratedRegex(@"\n    signature\(\) \{\n(      .*\n)+    \}")]
    private static partial Regex Function();

    [GeneratedRegex(@"^\| `(?<type>(credits|grant|tier)\.[a-z.]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
