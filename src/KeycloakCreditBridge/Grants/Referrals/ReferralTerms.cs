using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using KeycloakCreditBridge.Grants.Budgets;
using KeycloakCreditBridge.Grants.Policy.Settings;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Grants.Referrals;

/// <summary>Referrals as they are configured for a realm.</summary>
internal sealed class ReferralTerms(ReferralOptions options)
{
    /// <summary>The policy's name.</summary>
    public const string Policy = "referral";

    /// <summary>The referee's grant: one for an account in all.</summary>
    public const string ReceivedKey = "referral:received";

    /// <summary>The migration without which a replica loses referrals of renamed accounts.</summary>
    public const int Migration = 74;

    /// <summary>Stands for the configuration on the grants that it gave.</summary>
    public string Version { get; } =
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(options)))[..6]);

    public decimal ReferrerCredits { get; } = options.ReferrerCredits ?? 0m;

    public decimal RefereeCredits { get; } = options.RefereeCredits ?? 0m;

    public decimal Spent { get; } = options.Qualify.Spent;

    public string Task { get; } = options.Qualify.Task;

    public TimeSpan Within { get; } = options.Within;

    public TimeSpan Settle { get; } = options.Settle;

    public int MostPerReferrer { get; } = options.MostPerReferrer;

    public int MostIn30Days { get; } = options.MostIn30Days;

    public TimeSpan? ExpiresAfter { get; } = options.ExpiresAfter;

    public Budget? Budget { get; } = options.Budget is { } budget ? new Budget(budget.Credits, budget.Per) : null;

    /// <summary>The referrer's grant.</summary>
    public static string GivenKey(Guid referral) => $"referral:given:{referral}";

    /// <summary>Whether the referee did what is asked for, besides verifying the address.</summary>
    public bool IsMet(ReferralFacts facts) =>
        (Spent > 0m && facts.Spent >= Spent)
        || (Task.Length > 0 && facts.IsTaskDone)
        || (options.Qualify.Purchase && facts.HasBought);
}

/// <summary>The referrals of each realm.</summary>
internal sealed class ReferralRules(IOptions<GrantsOptions> options)
{
    private readonly ReferralTerms? _common = TermsOf(options.Value.Referrals);

    private readonly Dictionary<string, ReferralTerms?> _realms = options.Value.Realms
        .Where(realm => realm.Value.Referrals is not null)
        .ToDictionary(realm => realm.Key, realm => TermsOf(realm.Value.Referrals), StringComparer.Ordinal);

    /// <summary>Whether no realm has referrals.</summary>
    public bool IsEmpty => _common is null && _realms.Count == 0;

    /// <summary>The terms of a realm; null where it has no referrals.</summary>
    public ReferralTerms? Of(string realm) => _realms.GetValueOrDefault(realm, _common);

    private static ReferralTerms? TermsOf(ReferralOptions? options) => options is null ? null : new ReferralTerms(options);
}
