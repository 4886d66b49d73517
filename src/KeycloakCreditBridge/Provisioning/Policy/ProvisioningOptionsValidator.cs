using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Provisioning.Policy;

/// <summary>Finds everything that is wrong with the options at once, each with its key and its remedy.</summary>
internal sealed class ProvisioningOptionsValidator(IConfiguration configuration) : IValidateOptions<ProvisioningOptions>
{
    private const decimal Largest = 99_999_999_999_999m;
    private const int MostPreviousKeys = 5;

    private static readonly TimeSpan ShortestRetention = TimeSpan.FromDays(30);
    private static readonly TimeSpan LongestRetention = TimeSpan.FromDays(3650);

    /// <summary>Characters of a key by which addresses are remembered.</summary>
    public const int ShortestKey = 32;

    public ValidateOptionsResult Validate(string? name, ProvisioningOptions options)
    {
        var problems = Problems(options).Select(problem => $"{ProvisioningOptions.Section}:{problem}").ToList();
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    private IEnumerable<string> Problems(ProvisioningOptions options) =>
    [
        .. DefaultProblems(options),
        .. options.Tiers.SelectMany(tier => TierProblems($"Tiers:{tier.Key}", tier.Value)),
        .. EligibilityProblems("Eligibility", options.Eligibility),
        .. TierFromProblems("TierFrom", options, options.TierFrom),
        .. options.Realms.SelectMany(realm => RealmProblems(options, realm.Key, realm.Value)),
        .. MixedTemplateProblems(options),
    ];

    private string[] WatchedRealms => [
        .. configuration.GetSection($"{KeycloakOptions.Section}:Realms").GetChildren().Select(child => child["Name"]).OfType<string>()];

    // An address is proven by its realm. A name or attribute of the same text is proven by none, and would occupy the account id.
    private IEnumerable<string> MixedTemplateProblems(ProvisioningOptions options)
    {
        var open = WatchedRealms
            .Select(realm => (Name: realm, Own: options.Realms.GetValueOrDefault(realm)?.AccountId))
            .Select(realm => (realm.Name, realm.Own, Text: realm.Own ?? options.AccountId))
            .Where(realm => AccountIdTemplate.Problem(realm.Text) is null)
            .Select(realm => (realm.Name, realm.Own, realm.Text, Template: new AccountIdTemplate(realm.Text)))
            .Where(realm => !realm.Template.HasRealm)
            .ToList();
        if (open.Find(realm => realm.Template.IsAddress) is not { Name: { } addresses } byAddress
            || open.Find(realm => realm.Template.IsChosen) is not { Name: { } names } chosen)
            yield break;
        yield return $"{(chosen.Own is null ? "AccountId" : $"Realms:{names}:AccountId")} is '{chosen.Text}', which users of realm {names} "
            + $"choose, while realm {addresses} has '{byAddress.Text}': one of them could take the account id of an address. "
            + $"For one of the two realms use {{realm}}:{chosen.Text} or {{realm}}:{byAddress.Text}.";
    }

    private static IEnumerable<string> DefaultProblems(ProvisioningOptions options)
    {
        if (TierProblem(options, options.Tier) is { } tier)
            yield return $"Tier {tier}";
        if (AmountProblem(options.Amount) is { } amount)
            yield return $"Amount {amount}";
        if (options.Period <= TimeSpan.Zero)
            yield return $"Period is {options.Period}: choose a positive time span such as 30.00:00:00.";
        if (AccountIdTemplate.Problem(options.AccountId) is { } template)
            yield return $"AccountId {template}";
        foreach (var problem in SignupGrantProblems(options))
            yield return problem;
    }

    private static IEnumerable<string> SignupGrantProblems(ProvisioningOptions options)
    {
        var grant = options.SignupGrant;
        var once = options.Realms.Values.Select(realm => realm.SignupGrant?.OncePer ?? OncePer.User).Append(grant.OncePer).Max();
        if (once != OncePer.User && grant.EmailKey.Length < ShortestKey)
        {
            yield return $"SignupGrant:EmailKey has {grant.EmailKey.Length} characters: "
                + $"OncePer={once} needs a secret of at least {ShortestKey}.";
        }

        for (var index = 0; index < grant.PreviousEmailKeys.Count; index++)
        {
            if (grant.PreviousEmailKeys[index].Length < ShortestKey)
            {
                yield return $"SignupGrant:PreviousEmailKeys:{index} has {grant.PreviousEmailKeys[index].Length} characters: give the "
                    + $"whole key of the time before, at least {ShortestKey}, or remove the entry.";
            }
            else if (grant.PreviousEmailKeys[index] == grant.EmailKey)
                yield return $"SignupGrant:PreviousEmailKeys:{index} is EmailKey itself: remove the entry.";
        }

        if (grant.PreviousEmailKeys.Count > MostPreviousKeys)
        {
            yield return $"SignupGrant:PreviousEmailKeys has {grant.PreviousEmailKeys.Count} entries: keep at most {MostPreviousKeys}.";
        }

        if (grant.RetainClaims < ShortestRetention || grant.RetainClaims > LongestRetention)
        {
            yield return $"SignupGrant:RetainClaims is {grant.RetainClaims}: choose {ShortestRetention.Days}.00:00:00 to "
                + $"{LongestRetention.Days}.00:00:00.";
        }
    }

    private static IEnumerable<string> TierProblems(string key, TierOptions tier)
    {
        if (AmountProblem(tier.Credits) is { } credits)
            yield return $"{key}:Credits {credits}";
        if (AmountProblem(tier.MonthlyCap) is { } cap)
            yield return $"{key}:MonthlyCap {cap}";
    }

    private IEnumerable<string> RealmProblems(ProvisioningOptions options, string realm, RealmRuleOptions rules)
    {
        var key = $"Realms:{realm}";
        // The realms themselves are checked with their own section.
        var watched = WatchedRealms;
        if (!watched.Contains(realm, StringComparer.Ordinal))
        {
            yield return $"{key} is no realm of {KeycloakOptions.Section}:Realms: "
                + $"choose one of {string.Join(", ", watched)}, or add it there.";
        }
        if (rules.Tier is not null && TierProblem(options, rules.Tier) is { } tier)
            yield return $"{key}:Tier {tier}";
        if (AmountProblem(rules.Amount) is { } amount)
            yield return $"{key}:Amount {amount}";
        if (rules.AccountId is not null && AccountIdTemplate.Problem(rules.AccountId) is { } template)
            yield return $"{key}:AccountId {template}";
        foreach (var problem in EligibilityProblems($"{key}:Eligibility", rules.Eligibility))
            yield return problem;
        foreach (var problem in TierFromProblems($"{key}:TierFrom", options, rules.TierFrom))
            yield return problem;
    }

    private static IEnumerable<string> EligibilityProblems(string key, EligibilityOptions? rules)
    {
        for (var index = 0; index < rules?.EmailDomains.Count; index++)
            if (rules.EmailDomains[index] is var domain
                && (string.IsNullOrWhiteSpace(domain) || domain.Contains('@', StringComparison.Ordinal)))
            {
                yield return $"{key}:EmailDomains:{index} is '{domain}': "
                    + "give the part behind the @, such as example.com, or remove the entry.";
            }
        if (rules?.Attribute.StartsWith('=') == true)
            yield return $"{key}:Attribute is '{rules.Attribute}': give name or name=value.";
        for (var index = 0; index < rules?.IdentityProviders.Count; index++)
            if (string.IsNullOrWhiteSpace(rules.IdentityProviders[index]))
                yield return $"{key}:IdentityProviders:{index} is empty: give the provider's alias or remove the entry.";
    }

    private static IEnumerable<string> TierFromProblems(string key, ProvisioningOptions options, TierFromOptions? rules)
    {
        if (rules is null)
            yield break;
        if (rules.Attribute.Length > 0 && string.IsNullOrWhiteSpace(rules.Attribute))
            yield return $"{key}:Attribute is blank: give the attribute's name or remove the setting.";
        for (var index = 0; index < rules.Groups.Count; index++)
        {
            var group = rules.Groups[index];
            if (group.Path.Length < 2 || !group.Path.StartsWith('/') || group.Path.EndsWith('/'))
                yield return $"{key}:Groups:{index}:Path is '{group.Path}': give the group's whole path, such as /customers/gold.";
            if (TierProblem(options, group.Tier) is { } tier)
                yield return $"{key}:Groups:{index}:Tier {tier}";
        }

        for (var index = 0; index < rules.RealmRoles.Count; index++)
        {
            var role = rules.RealmRoles[index];
            if (string.IsNullOrWhiteSpace(role.Name))
                yield return $"{key}:RealmRoles:{index}:Name is empty: give the role's name or remove the entry.";
            if (TierProblem(options, role.Tier) is { } tier)
                yield return $"{key}:RealmRoles:{index}:Tier {tier}";
        }
    }

    private static string? TierProblem(ProvisioningOptions options, string tier) => options.Tiers.ContainsKey(tier)
        ? null
        : $"is '{tier}': choose one of {string.Join(", ", options.Tiers.Keys)}, or add it to {ProvisioningOptions.Section}:Tiers.";

    private static string? AmountProblem(decimal? amount) =>
        amount is < 0m or > Largest || (amount is { } given && decimal.Round(given, 6) != given)
        ? $"is {amount}: choose 0 to {Largest} with at most six decimals."
        : null;
}
