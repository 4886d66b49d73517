using System.Globalization;
using System.Text.RegularExpressions;

namespace KeycloakCreditBridge.Grants.Claims;

/// <summary>
/// Tells which inbox an address belongs to: the same text for all addresses whose mail arrives there. It is cautious: only what providers
/// are known to ignore is taken away. Mail is never sent to the result.
/// </summary>
internal static partial class Inbox
{
    private const int Longest = 320;

    private static readonly IdnMapping Idn = new() { UseStd3AsciiRules = true };

    /// <summary>The inbox; null where the text is no address.</summary>
    public static string? Of(string? address, InboxRules rules)
    {
        if (Plain(address) is not { Length: <= Longest } plain || plain.Split('@') is not [{ Length: > 0 } local, { Length: > 0 } named]
            || local.Any(sign => sign == '"' || char.IsWhiteSpace(sign) || char.IsControl(sign)) || Ascii(named) is not { } domain)
            return null;
        return domain switch
        {
            "gmail.com" or "googlemail.com" => $"{WithoutDots(Cut(local, '+'))}@gmail.com",
            "proton.me" or "protonmail.com" or "pm.me" => $"{Cut(local, '+')}@proton.me",
            "icloud.com" or "me.com" or "mac.com" => $"{Cut(local, '+')}@icloud.com",
            "ya.ru" => $"{Cut(local, '+')}@yandex.ru",
            "msn.com" or "fastmail.com" or "fastmail.fm" => $"{Cut(local, '+')}@{domain}",
            "ymail.com" => $"{(rules.YahooHyphen ? Cut(local, '-') : local)}@{domain}",
            _ when FastmailUser().Match(domain) is { Success: true } user => $"{user.Groups["user"].Value}@{user.Groups["domain"].Value}",
            _ when CountryDomain().Match(domain) is { Success: true } found => found.Groups["name"].Value switch
            {
                "yandex" => $"{Cut(local, '+')}@yandex.ru",
                "yahoo" => $"{(rules.YahooHyphen ? Cut(local, '-') : local)}@{domain}",
                _ => $"{Cut(local, '+')}@{domain}",
            },
            _ => $"{(rules.PlusForOthers ? Cut(local, '+') : local)}@{domain}",
        };
    }

    // Full-width signs are the plain ones, and signs without a width are none. The program has no tables of Unicode for more than that.
    private static string? Plain(string? address) => address is null
        ? null
        : string.Concat(address.Where(sign => CharUnicodeInfo.GetUnicodeCategory(sign) != UnicodeCategory.Format).Select(sign => sign switch
        {
            >= '\uFF01' and <= '\uFF5E' => (char)(sign - '\uFF01' + '!'),
            '\u3000' => ' ',
            '\u3002' or '\uFF61' => '.',
            _ => sign,
        })).Trim().ToLowerInvariant();

    private static string? Ascii(string domain)
    {
        try
        {
            return domain.EndsWith('.') ? null : Idn.GetAscii(domain).ToLowerInvariant();
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    // What would leave nothing stays as it is.
    private static string Cut(string local, char at) =>
        local.IndexOf(at, StringComparison.Ordinal) is > 0 and var end ? local[..end] : local;

    private static string WithoutDots(string local) =>
        local.Replace(".", "", StringComparison.Ordinal) is { Length: > 0 } plain ? plain : local;

    [GeneratedRegex(@"\A(?<name>outlook|hotmail|live|yahoo|yandex)\.(com?\.)?[a-z]{2,3}\z", RegexOptions.ExplicitCapture)]
    private static partial Regex CountryDomain();

    [GeneratedRegex(@"\A(?<user>[^.]+)\.(?<domain>fastmail\.(com|fm))\z", RegexOptions.ExplicitCapture)]
    private static partial Regex FastmailUser();
}

/// <summary>What is known of inboxes beside the table of providers.</summary>
/// <param name="YahooHyphen">Whether what follows a hyphen is ignored in addresses of Yahoo.</param>
/// <param name="PlusForOthers">Whether what follows a plus is ignored in addresses of all other domains.</param>
internal sealed record InboxRules(bool YahooHyphen = false, bool PlusForOthers = false);
