using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Provisioning.Policy;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Provisioning.Awards;

/// <summary>Finds rules that name a tier which is not configured.</summary>
internal sealed class GrantTierValidator(IConfiguration configuration) : IValidateOptions<GrantsOptions>
{
    public ValidateOptionsResult Validate(string? name, GrantsOptions options)
    {
        // Read as they stand: what is wrong with the tiers themselves is a fault of its own.
        string[] tiers = [
            .. new ProvisioningOptions().Tiers.Keys.Union(
                configuration.GetSection($"{ProvisioningOptions.Section}:Tiers").GetChildren().Select(tier => tier.Key),
                StringComparer.Ordinal)];
        string[] problems = [
            .. Problems("Welcome", options.Welcome?.Rules, tiers),
            .. options.Realms.SelectMany(realm => Problems($"Realms:{realm.Key}:Welcome", realm.Value.Welcome?.Rules, tiers)),
        ];
        return problems.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    private static IEnumerable<string> Problems(string key, List<WelcomeRuleOptions>? rules, string[] tiers)
    {
        for (var index = 0; index < rules?.Count; index++)
        {
            if (rules[index].Tier is { Length: > 0 } tier && !tiers.Contains(tier, StringComparer.Ordinal))
            {
                yield return $"{GrantsOptions.Section}:{key}:Rules:{index}:Tier is '{tier}': choose one of "
                    + $"{string.Join(", ", tiers)}, or add it to {ProvisioningOptions.Section}:Tiers.";
            }
        }
    }
}
