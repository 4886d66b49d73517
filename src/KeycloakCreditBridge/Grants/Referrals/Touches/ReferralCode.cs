using System.Security.Cryptography;

namespace KeycloakCreditBridge.Grants.Referrals.Touches;

/// <summary>The codes of accounts: eight characters of Crockford's alphabet, which has no look-alikes.</summary>
internal static class ReferralCode
{
    public const int Length = 8;

    /// <summary>No longer text is read as a code.</summary>
    public const int LongestText = 64;

    private const string Alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    public static string New() => RandomNumberGenerator.GetString(Alphabet, Length);

    /// <summary>As it is shown: two groups of four.</summary>
    public static string Shown(string code) => $"{code[..4]}-{code[4..]}";

    /// <summary>The code that a text means, however it is written; null where it cannot be one.</summary>
    public static string? Read(string text)
    {
        if (text.Length > LongestText)
            return null;
        var code = string.Concat(text.Where(sign => sign is not (' ' or '-')).Select(Meant));
        return code.Length == Length && code.All(sign => Alphabet.Contains(sign, StringComparison.Ordinal)) ? code : null;
    }

    private static char Meant(char sign) => char.ToUpperInvariant(sign) switch
    {
        'O' => '0',
        'I' or 'L' => '1',
        var other => other,
    };
}
