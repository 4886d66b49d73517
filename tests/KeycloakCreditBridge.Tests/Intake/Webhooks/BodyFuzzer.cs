using System.Text;
using KeycloakCreditBridge.Tests.Intake.Webhooks.Formats;

namespace KeycloakCreditBridge.Tests.Intake.Webhooks;

/// <summary>Bodies that resemble what plugins send. The same number always gives the same body.</summary>
internal sealed class BodyFuzzer
{
    private static readonly byte[][] Tokens =
    [
        .. new[]
        {
            "{", "}", "[", "]", "\"", ":", ",", "null", "true", "-1", "1e999", "{}", "[]", "\\", "\\u0000", "\\ud800", "\"\"", "\0",
            "\u202e", "'",
            "\"type\":", "\"userId\":", "\"uid\":1,", "\"occurredAt\":1,", "\"eventId\":1,", "\"source\":\"USER_EVENT\",", "\"time\":1,",
            "\"specversion\":\"1.0\",", "\"data\":", "\"data_base64\":\"e30=\",", "\"realmName\":\"other\",",
            "\"resourcePath\":\"users/\",",
            "\"error\":7,", "access.", "admin.", "-", "\"authDetails\":null,", "\"\\ud800\":1,", "\"t\\u0079pe\":\"REGISTER\",",
        }.Select(Encoding.UTF8.GetBytes),
        [0xFF, 0xFE], [0xC3, 0x28], [0xEF, 0xBB, 0xBF],
    ];

    private readonly List<byte[]> _seeds =
    [
        .. Deliveries.Recorded().Select(sent => sent.Body),
        .. Plugins.All.SelectMany(plugin => Deliveries.RecordedIn(plugin.File)).Select(sent => sent.Body),
    ];

    public BodyFuzzer()
    {
        var last = _seeds[^1];
        _seeds.Add(CloudEventTests.Structured(last, encoded: false));
        _seeds.Add(CloudEventTests.Structured(last, encoded: true));
    }

    /// <summary>A recorded body with one to three changes, hence hardly ever the recorded one.</summary>
    public byte[] Body(int number)
    {
#pragma warning disable CA5394 // A test that is repeated has to meet the same bodies.
        var random = new Random(number);
        var body = new List<byte>(_seeds[random.Next(_seeds.Count)]);
        for (var changes = random.Next(1, 4); changes > 0; changes--)
        {
            var at = random.Next(body.Count + 1);
            var length = Math.Min(random.Next(1, 40), body.Count - at);
            switch (random.Next(10))
            {
                case 0 when at < body.Count:
                    body[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    body.RemoveRange(at, length);
                    break;
                case 2:
                    body.InsertRange(at, body.GetRange(at, length));
                    break;
                case 3:
                    body.RemoveRange(at, body.Count - at);
                    break;
                case 4:
                    var other = _seeds[random.Next(_seeds.Count)];
                    body.InsertRange(at, other.AsSpan(random.Next(other.Length)).ToArray());
                    break;
                default:
                    body.InsertRange(AfterComma(body, at), Tokens[random.Next(Tokens.Length)]);
                    break;
            }
        }
#pragma warning restore CA5394

        return [.. body];
    }

    // Where members begin, changes make bodies that are still JSON.
    private static int AfterComma(List<byte> body, int from) => from < body.Count ? body.IndexOf((byte)',', from) + 1 : 0;
}
