using System.Text;

namespace KeycloakCreditBridge.Chaos.Fuzzing.Bodies;

/// <summary>Pieces that readers are known to trip over.</summary>
internal static class Fragments
{
    public static IReadOnlyList<byte[]> Values { get; } =
    [
        .. Of(
            "null", "true", "false", "0", "-0", "-1", "1e400", "-1e-400", "1E+30", "9223372036854775808", "2147483648", "0.0000001",
            "100000", "100000.01", "NaN", "-Infinity", "Infinity", "{}", "[]", "[[]]", "{\"\":{}}", "\"\"", "\" \"", "\"\\u0000\"",
            "\"a\\u0000b\"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\ud83d\\ude00\"", "\"\\u202e\"", "\"\\u2028\"", "\"\\n\"",
            "\"None\"", "\"null\"", "\"success\"", "\"failure\"", "\"1e5\"", "\" 12 \"", "\"1,5\"", "\"\u0663\"", "\"+7\"", "\"0x10\"",
            "\"2027-01-31T08:00:00Z\"", "\"0001-01-01T00:00:00+14:00\"", "\"9999-12-31T23:59:59.9999999-14:00\"", "\"users/a\"",
            "\"users/\\ud83d\\ude00\"", "\"users/profile\"", "\"users/a/role-mappings/realm\"", "\"scim/v2/Users/b\"", "\"CREATE\"",
            "\"USER-CREATE\"", "\"admin.USER-DELETE\"", "\"access.REGISTER\"", "\"lightweight-a\"", "\"1.0\"", "\"e30=\"",
            "\"resp_cmVzcG9uc2VfaWQ6AAA7\"", "\"batch_bGxtX2JhdGNoX2lkOgA=\"", "\"aretrieve_batch\"", "\"responses\"", "253402300800",
            "99999999999.9999"),
        Quoted('x', 99, "\\ud83d\\ude00"), Quoted('y', 199, "\\ud83d\\ude00"), Quoted('z', 255, ""), Quoted('z', 256, ""),
        Quoted('w', 499, "\\ud83d\\ude00"), Quoted('k', 700, ""), Digits(400), Digits(30),
        [(byte)'"', 0xC0, 0x80, (byte)'"'], [(byte)'"', 0xED, 0xA0, 0x80, (byte)'"'], [(byte)'"', 0xF5, 0x80, 0x80, 0x80, (byte)'"'],
    ];

    public static IReadOnlyList<byte[]> Members { get; } = Of(
        "\"type\":", "\"t\\u0079pe\":", "\"userId\":", "\"uid\":", "\"occurredAt\":", "\"eventId\":", "\"source\":", "\"time\":",
        "\"realmId\":", "\"realmName\":", "\"resourcePath\":", "\"resourceType\":", "\"operationType\":", "\"authDetails\":", "\"error\":",
        "\"specversion\":", "\"id\":", "\"data\":", "\"data_base64\":", "\"amount\":", "\"user_id\":", "\"metadata\":", "\"cost\":",
        "\"user_ids\":", "\"expires_at\":", "\"refunds\":", "\"request_data\":", "\"user_api_key_user_id\":", "\"response_cost\":",
        "\"total_tokens\":", "\"startTime\":", "\"endTime\":", "\"litellm_call_id\":", "\"call_type\":", "\"status\":", "\"response\":",
        "\"\\ud800\":", "\"\\u0000\":", "\"\":");

    public static IReadOnlyList<byte[]> Bytes { get; } =
    [
        .. Of(
            "{", "}", "[", "]", "\"", ":", ",", "\\", "\\u", "\\u0000", "\\ud800", "\0", "\n", "\r\n", " ", "//", "/*", "'", "NaN",
            "Infinity", "-", "+", ".", "e", "\u202e", "\u2028"),
        [0xFF, 0xFE], [0xC3, 0x28], [0xEF, 0xBB, 0xBF], [0x80], [0xE2, 0x82], [0xF0, 0x9F, 0x98],
    ];

    public static IReadOnlyList<Encoding> Charsets { get; } =
        [Encoding.Unicode, Encoding.BigEndianUnicode, Encoding.UTF32, Encoding.Latin1, Encoding.UTF8];

    private static byte[][] Of(params string[] texts) => [.. texts.Select(Encoding.UTF8.GetBytes)];

    private static byte[] Quoted(char filler, int count, string end) => Encoding.UTF8.GetBytes($"\"{new string(filler, count)}{end}\"");

    private static byte[] Digits(int count) => Encoding.UTF8.GetBytes(new string('9', count));
}
