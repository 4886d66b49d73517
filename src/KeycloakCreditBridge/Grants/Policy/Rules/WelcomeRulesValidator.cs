using System.Globalization;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Policy.Settings;

namespace KeycloakCreditBridge.Grants.Policy.Rules;

/// <summary>What is wrong with the rules of a welcome.</summary>
internal static class WelcomeRulesValidator
{
    private const int MostRules = 200;

    public static IEnumerable<string> Problems(string key, IReadOnlyList<WelcomeRuleOptions> rules, bool waits)
    {
        if (rules.Count > MostRules)
            yield return string.Create(CultureInfo.InvariantCulture, $"{key} has {rules.Count} rules: give at most {MostRules}.");
        for (var index = 0; index < rules.Count; index++)
        {
            var rule = rules[index];
            var at = string.Create(CultureInfo.InvariantCulture, $"{key}:{index}");
            if (rule.When is null && index < rules.Count - 1)
                yield return $"{at} has no When and applies to everyone, so the rules behind it are never reached: move it to the end.";
            if (rule.Name.Length > 0 && rules.Take(index).Any(other => other.Name == rule.Name))
                yield return $"{at}:Name is '{rule.Name}' a second time: choose another name.";
            foreach (var problem in RuleProblems(at, rule).Concat(rule.When is { } when ? WhenProblems($"{at}:When", when) : []))
                yield return problem;
            if (rule is { When: { Source.Length: > 0 } or { Utm.Length: > 0 }, Budget: null })
            {
                yield return string.Create(
                    CultureInfo.InvariantCulture,
                    $"{at} pays {rule.Credits} credits for a claim that any user can make (attribution): give it a Budget.");
            }

            if (rule.When is { Source.Length: > 0 } or { Utm.Length: > 0 } or { Invite.Length: > 0 } && !waits)
            {
                yield return $"{at} could never match: an attribution comes after the account is opened. Let the welcome wait by "
                    + "DecideAfter, such as 00:02:00, or by Requires email_verified.";
            }

            if (rule is { When: { Attribute.Length: > 0, AdministratorsOnly: false } claimed, Budget: null })
            {
                yield return string.Create(
                    CultureInfo.InvariantCulture,
                    $"{at} pays {rule.Credits} credits for a claim that any user can make (attribute {claimed.Attribute}): give it a "
                    + $"Budget, or set When:AdministratorsOnly where only administrators can edit the attribute.");
            }
        }
    }

    private static IEnumerable<string> RuleProblems(string at, WelcomeRuleOptions rule)
    {
        if (rule.Credits is not { } credits)
            yield return $"{at}:Credits is missing: give the welcome credits of such a user.";
        else if (GrantAmount.ProblemWith(credits) is { } problem)
            yield return $"{at}:Credits {problem}";
        if (GrantsOptionsValidator.ProblemWith(rule.ExpiresAfter) is { } end)
            yield return $"{at}:ExpiresAfter {end}";
        if (rule.TopUp && (rule.Tier.Length == 0 || rule.When is null))
            yield return $"{at}:TopUp needs a Tier, for which it pays once, and a When: give both, or remove it.";
        if (rule.Budget is { } budget && GrantAmount.ProblemWith(budget.Credits) is { } limit)
            yield return $"{at}:Budget:Credits {limit}";
    }

    /// <summary>What is wrong with conditions.</summary>
    public static IEnumerable<string> WhenProblems(string at, RuleWhenOptions when)
    {
        if (when is { Group: "", Role: "", IdentityProvider: "", EmailDomain: "", EmailDomainFile: "", Attribute: "", Source: "", Utm: "",
            Organization: "", Client: "", Invite: "" })
            yield return $"{at} names no condition: name one, or remove When from the last rule.";
        if (when.Group.Length > 0 && (when.Group.Length < 2 || !when.Group.StartsWith('/') || when.Group.EndsWith('/')))
            yield return $"{at}:Group is '{when.Group}': give the group's whole path, such as /partners or /partners/*.";
        if (when.EmailDomain.Length > 0 && DomainSet.ProblemWith(when.EmailDomain) is { } domain)
            yield return $"{at}:EmailDomain {domain}.";
        if (when.EmailDomainFile.Length > 0 && DomainSet.ProblemWithFile(when.EmailDomainFile) is { } file)
            yield return $"{at}:EmailDomainFile is '{when.EmailDomainFile}', which {file}.";
        if (when.Invite.Length > 0 && !InviteLinks.IsCampaign(when.Invite))
        {
            yield return $"{at}:Invite is '{when.Invite}': give the campaign's name, a to z, 0 to 9, - and _, at most 40 characters, "
                + "such as spring-2027.";
        }

        if (when.Attribute.Length > 0 && when.Attribute.IndexOf('=', StringComparison.Ordinal) < 1)
            yield return $"{at}:Attribute is '{when.Attribute}': give name=value.";
        if (when.Utm.Length > 0
            && (!when.Utm.Contains('=', StringComparison.Ordinal)
                || !Attribution.Names.Contains(when.Utm.Split('=')[0], StringComparer.Ordinal)))
        {
            yield return $"{at}:Utm is '{when.Utm}': give name=value with one of the names {string.Join(", ", Attribution.Names)}.";
        }
    }
}
