using KeycloakCreditBridge.Grants.Codes;

namespace KeycloakCreditBridge.Grants.Referrals.Touches;

/// <summary>The codes of accounts: eight characters, which are read however they are written.</summary>
internal static class ReferralCode
{
    public const int Length = 8;

    public static string New() => CodeText.Generate(Length);

    /// <summary>The code that a text means; null where it cannot be one.</summary>
    public static string? Read(string text) =>
        text.Length <= CodeText.Longest && CodeText.Normalize(text) is { Length: Length } code && CodeText.IsCode(code) ? code : null;
}
