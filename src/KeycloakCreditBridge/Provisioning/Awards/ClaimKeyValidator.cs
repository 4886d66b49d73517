using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Provisioning.Policy;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Provisioning.Awards;

/// <summary>Finds tasks that are paid once for an address where there is no key to remember addresses by.</summary>
internal sealed class ClaimKeyValidator(IConfiguration configuration) : IValidateOptions<GrantsOptions>
{
    public ValidateOptionsResult Validate(string? name, GrantsOptions options)
    {
        const string KeyName = $"{ProvisioningOptions.Section}:SignupGrant:EmailKey";
        if (configuration[KeyName]?.Length >= ProvisioningOptionsValidator.ShortestKey)
            return ValidateOptionsResult.Success;
        string[] problems = [
            .. Counting("Tasks", options.Tasks)
                .Concat(options.Realms.SelectMany(realm => Counting($"Realms:{realm.Key}:Tasks", realm.Value.Tasks)))
                .Select(task => $"{GrantsOptions.Section}:{task}: {KeyName} needs a secret of at least "
                    + $"{ProvisioningOptionsValidator.ShortestKey} characters."),
        ];
        return problems.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    private static IEnumerable<string> Counting(string key, Dictionary<string, TaskOptions>? tasks) =>
        (tasks ?? []).Where(task => task.Value.Once != OncePer.User).Select(task => $"{key}:{task.Key}:Once is {task.Value.Once}");
}
