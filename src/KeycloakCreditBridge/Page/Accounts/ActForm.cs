using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Credit = KeycloakCreditBridge.Api.Requests.Amount;

namespace KeycloakCreditBridge.Page.Accounts;

/// <summary>What an operator fills in to change an account.</summary>
/// <param name="Act">`allocate`, `refund`, `switch`, `void` or `extend`.</param>
/// <param name="Usage">The ledger row that a refund gives back.</param>
/// <param name="Key">Made with the form: sent twice, it counts once.</param>
internal sealed record ActForm(string Act, string Amount, string Reason, string Type, string Tier, string Usage, string Key)
{
    private const int ShortestReason = 3;
    private const int LongestReason = 500;
    private const int LongestGrant = 300;

    public decimal Credits { get; private init; }

    /// <summary>The key of the grant that is taken back or gets another end.</summary>
    public string Grant { get; private init; } = "";

    /// <summary>The grant's new end as it was typed; empty for none.</summary>
    public string Ends { get; private init; } = "";

    /// <summary>The grant's new end; null for none.</summary>
    public DateTimeOffset? EndsAt { get; private init; }

    public bool IsOfGrant => Act is "void" or "extend";

    /// <summary>What is wrong, by field.</summary>
    public IReadOnlyDictionary<string, string> Problems { get; private init; } = new Dictionary<string, string>();

    public bool IsRight => Problems.Count == 0;

    /// <summary>Differs between changes under the same key.</summary>
    public byte[] Hash => SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', Act, Amount, Type, Tier, Usage, Grant, Ends, Reason)));

    public static ActForm Of(string act, IFormCollection form, IReadOnlyCollection<string> tiers, DateTimeOffset latestEnd)
    {
        var read = new ActForm(
            act, form["amount"].ToString().Trim(), form["reason"].ToString().Trim(), form["type"] == "purchase" ? "purchase" : "bonus",
            form["tier"].ToString(), form["usage"].ToString(), form["key"].ToString())
        {
            Grant = form["grant"].ToString(), Ends = form["ends"].ToString().Trim(),
        };
        Dictionary<string, string> problems = new(StringComparer.Ordinal);
        var hasAmount = act is "allocate" or "refund";
        var (credits, problem) = hasAmount ? Credit.Parse(read.Amount) : (0m, null);
        if (problem is not null || (hasAmount && credits <= 0))
            problems["amount"] = problem ?? "is not above zero";
        if (read.Reason.Length is < ShortestReason or > LongestReason || read.Reason.Contains('\0', StringComparison.Ordinal))
            problems["reason"] = $"has {read.Reason.Length} characters: give {ShortestReason} to {LongestReason}";
        if (act == "switch" && !tiers.Contains(read.Tier, StringComparer.Ordinal))
            problems["tier"] = $"is none of {string.Join(", ", tiers)}";
        if (act == "refund" && !Guid.TryParse(read.Usage, out _))
            problems["usage"] = "is no row of the ledger: choose one";
        if (read.IsOfGrant && (read.Grant.Length is 0 or > LongestGrant || read.Grant.Contains('\0', StringComparison.Ordinal)))
            problems["grant"] = "is no grant: choose one below";
        DateTimeOffset? endsAt = null;
        if (act == "extend" && read.Ends.Length > 0)
        {
            if (DateTimeOffset.TryParseExact(
                read.Ends, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var day) && day < latestEnd)
                endsAt = day;
            else
                problems["ends"] = "is no day as 2026-01-31 within ten years";
        }

        if (read.Key.Length is < 16 or > 100)
            problems["key"] = "is missing: open the account again";
        return read with { Credits = credits, EndsAt = endsAt, Problems = problems };
    }
}
