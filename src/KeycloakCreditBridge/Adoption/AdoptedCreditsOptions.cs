using KeycloakCreditBridge.Grants;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Adoption;

/// <summary>What becomes of the credits of adopted accounts.</summary>
internal sealed class AdoptedCreditsOptions
{
    public const string Section = "Adopt";

    /// <summary>How long after its adoption what is left of an account's credits ends, bought ones apart; never when absent.</summary>
    public TimeSpan? ExpiresAfter { get; set; }
}

/// <summary>Checks the options; the message names the key.</summary>
internal sealed class AdoptedCreditsOptionsValidator : IValidateOptions<AdoptedCreditsOptions>
{
    public ValidateOptionsResult Validate(string? name, AdoptedCreditsOptions options) =>
        GrantsOptionsValidator.ProblemWith(options.ExpiresAfter) is { } problem
            ? ValidateOptionsResult.Fail($"{AdoptedCreditsOptions.Section}:ExpiresAfter {problem}")
            : ValidateOptionsResult.Success;
}
