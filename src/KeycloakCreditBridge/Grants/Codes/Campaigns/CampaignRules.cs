using System.Globalization;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Grants.Policy.Settings;

namespace KeycloakCreditBridge.Grants.Codes.Campaigns;

/// <summary>What a campaign may be. The problems follow the names of its fields, which a request and a command have in common.</summary>
internal static partial class CampaignRules
{
    public const int MostCodes = 10_000;
    public const long MostPlaces = 1_000_000_000;

    /// <summary>All that is wrong with a campaign, by field; empty when nothing is.</summary>
    public static IReadOnlyDictionary<string, string> Problems(NewCampaign wanted, DateTimeOffset now)
    {
        Dictionary<string, string> problems = new(StringComparer.Ordinal);
        if (!Name().IsMatch(wanted.Name))
            problems["name"] = "is not 1 to 40 characters a-z, 0-9, _ and -, of which the first is a letter or digit";
        if (GrantAmount.ProblemWith(wanted.Credits) is { } amount)
            problems["credits"] = amount.TrimEnd('.');
        if (GrantsOptionsValidator.ProblemWith(wanted.ExpiresAfter) is { } end)
            problems["expires_after"] = end.TrimEnd('.');
        if (wanted.EndsAt <= (wanted.StartsAt ?? now))
            problems["ends_at"] = wanted.StartsAt is null ? "has passed" : "is not after starts_at";
        if (wanted.Count is < 1 or > MostCodes)
            problems["count"] = string.Create(CultureInfo.InvariantCulture, $"is not 1 to {MostCodes}");
        if (wanted.Places is < 1 or > MostPlaces)
            problems["max_redemptions"] = string.Create(CultureInfo.InvariantCulture, $"is not 1 to {MostPlaces}");
        if (wanted.Requires.Except(Requirements.Known, StringComparer.Ordinal).FirstOrDefault() is { } unknown)
            problems["requires"] = $"has '{unknown}': choose of {string.Join(", ", Requirements.Known)}";
        if (wanted.Word is not null)
            AddProblems(wanted, wanted.Word, problems);
        return problems;
    }

    // A word can be guessed: it is for many, and its cap is said.
    private static void AddProblems(NewCampaign wanted, string word, Dictionary<string, string> problems)
    {
        if (CodeText.ProblemWith(word) is { } problem)
            problems["code"] = problem;
        if (wanted.Count != 1)
            problems["count"] = "is not 1: a chosen code is the only one of its campaign";
        if (wanted.Places < 2)
            problems["max_redemptions"] = "is less than 2: say how many users may redeem a chosen code";
    }

    [GeneratedRegex("^[a-z0-9][a-z0-9_-]{0,39}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex Name();
}
