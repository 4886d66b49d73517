using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace KeycloakCreditBridge.Grants.Policy.Rules;

/// <summary>Signed invitations, `v1.CAMPAIGN.END.SIGNATURE`: what a link carries as `ref` and no user can make up.</summary>
internal sealed partial class InviteLinks(string key)
{
    public const int ShortestKey = 32;

    /// <summary>An invitation of a campaign.</summary>
    /// <param name="campaign">Such as `spring`; see <see cref="IsCampaign"/>.</param>
    /// <param name="until">Until when it counts, in whole seconds.</param>
    public string Make(string campaign, DateTimeOffset until)
    {
        var signed = string.Create(CultureInfo.InvariantCulture, $"v1.{campaign}.{until.ToUnixTimeSeconds()}");
        return $"{signed}.{Signature(signed)}";
    }

    /// <summary>The campaign of an invitation that was used in time; null where the text is none of ours.</summary>
    /// <param name="text">What the user's browser gave.</param>
    /// <param name="at">When.</param>
    public string? CampaignOf(string? text, DateTimeOffset at)
    {
        if (key.Length < ShortestKey || Form().Match(text ?? "") is not { Success: true } form)
            return null;
        var isSigned = CryptographicOperations.FixedTimeEquals(
            Encoding.ASCII.GetBytes(Signature(form.Groups["signed"].Value)), Encoding.ASCII.GetBytes(form.Groups["signature"].Value));
        return isSigned && at.ToUnixTimeSeconds() < long.Parse(form.Groups["end"].Value, CultureInfo.InvariantCulture)
            ? form.Groups["campaign"].Value
            : null;
    }

    /// <summary>Whether a text can name a campaign.</summary>
    public static bool IsCampaign(string text) => Campaign().IsMatch(text);

    private string Signature(string signed) => Base64Url.EncodeToString(
        HMACSHA256.HashData(Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes($"invite\0{signed}")));

    [GeneratedRegex(@"\A[a-z0-9][a-z0-9_-]{0,39}\z")]
    private static partial Regex Campaign();

    [GeneratedRegex(
        @"\A(?<signed>v1\.(?<campaign>[a-z0-9][a-z0-9_-]{0,39})\.(?<end>[0-9]{1,12}))\.(?<signature>[A-Za-z0-9_-]{43})\z",
        RegexOptions.ExplicitCapture)]
    private static partial Regex Form();
}
