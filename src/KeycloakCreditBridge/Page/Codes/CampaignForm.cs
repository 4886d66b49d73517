using System.Globalization;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Codes.Campaigns;
using Credit = KeycloakCreditBridge.Api.Requests.Amount;

namespace KeycloakCreditBridge.Page.Codes;

/// <summary>What an operator fills in to make a campaign, as it was typed.</summary>
/// <param name="Days">After how many days what is paid ends; empty for never.</param>
/// <param name="Count">How many codes.</param>
/// <param name="Places">How many users may redeem each code.</param>
/// <param name="Word">The only code where the operator chooses it.</param>
internal sealed record CampaignForm(
    string Name, string Credits, string Days, string Starts, string Ends, string Count, string Places, string Word, string Once,
    bool VerifiedEmail)
{
    public static readonly IReadOnlyList<string> Onces = ["user", "email", "inbox"];

    public static readonly CampaignForm Empty = new("", "", "", "", "", "1", "1", "", Onces[0], false);

    private const int MostDays = 3_650;

    /// <summary>What is wrong, by field.</summary>
    public IReadOnlyDictionary<string, string> Problems { get; private init; } = new Dictionary<string, string>();

    public bool IsRight => Problems.Count == 0;

    /// <summary>The fields as the form names them.</summary>
    public IEnumerable<(string Name, string Value)> Fields =>
    [
        ("name", Name), ("credits", Credits), ("expires_after", Days), ("starts_at", Starts), ("ends_at", Ends), ("count", Count),
        ("max_redemptions", Places), ("code", Word), ("once", Once), ("verified_email", VerifiedEmail ? "on" : ""),
    ];

    public static CampaignForm Of(IFormCollection form)
    {
        return new CampaignForm(
            Text("name"), Text("credits"), Text("expires_after"), Text("starts_at"), Text("ends_at"), Text("count"),
            Text("max_redemptions"), Text("code").ToUpperInvariant(), Text("once"), Text("verified_email") == "on");

        string Text(string name) => form[name].ToString().Trim();
    }

    /// <summary>The campaign that is meant, and the form with what is wrong with it.</summary>
    /// <param name="canClaim">Whether addresses can be remembered.</param>
    public (NewCampaign Wanted, CampaignForm Form) Read(string realm, string by, bool canClaim, DateTimeOffset now)
    {
        Dictionary<string, string> problems = new(StringComparer.Ordinal);
        var (credits, problem) = Credit.Parse(Credits);
        if (problem is not null)
            problems["credits"] = problem;
        var once = Onces.ToList().IndexOf(Once);
        if (once < 0)
            problems["once"] = $"is none of {string.Join(", ", Onces)}";
        else if (once > 0 && !canClaim)
            problems["once"] = "needs a secret in Provisioning:SignupGrant:EmailKey, by which addresses are remembered";
        var paidOnce = (OncePer)Math.Max(0, once);
        TimeSpan? after = Days.Length == 0 ? null : TimeSpan.FromDays(Number(problems, "expires_after", Days, MostDays));
        var wanted = new NewCampaign(
            realm, Name, credits, after, Day(problems, "starts_at", Starts), Day(problems, "ends_at", Ends),
            NewCampaign.RequiredBy(paidOnce, VerifiedEmail), (int)Number(problems, "count", Count, CampaignRules.MostCodes),
            Number(problems, "max_redemptions", Places, CampaignRules.MostPlaces), Word.Length == 0 ? null : Word, by)
        {
            Once = paidOnce,
        };
        foreach (var (field, wrong) in CampaignRules.Problems(wanted, now))
            problems.TryAdd(field, wrong);
        return (wanted, this with { Problems = problems });
    }

    private static long Number(Dictionary<string, string> problems, string field, string text, long most)
    {
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= most)
            return number;
        problems[field] = string.Create(CultureInfo.InvariantCulture, $"is not a whole number from 1 to {most}");
        return 1;
    }

    private static DateTimeOffset? Day(Dictionary<string, string> problems, string field, string text)
    {
        if (text.Length == 0)
            return null;
        if (DateTimeOffset.TryParseExact(
            text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var day))
            return day;
        problems[field] = "is no day as 2026-01-31";
        return null;
    }
}
