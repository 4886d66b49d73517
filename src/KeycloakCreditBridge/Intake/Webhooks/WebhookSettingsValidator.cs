using KeycloakCreditBridge.Intake.Authentication;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Intake.Webhooks;

/// <summary>Checks that the realms' webhook settings fit each other. Secrets are never repeated.</summary>
internal sealed class WebhookSettingsValidator : IValidateOptions<KeycloakOptions>
{
    public ValidateOptionsResult Validate(string? name, KeycloakOptions options)
    {
        var problems = options.Realms
            .SelectMany((realm, index) => Problems(realm).Select(problem => $"{KeycloakOptions.Section}:Realms:{index}:{problem}"))
            .ToList();
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    private static IEnumerable<string> Problems(RealmOptions realm)
    {
        // A number that names no value would be bound too.
        if (!Enum.IsDefined(realm.WebhookAuthentication))
            yield return $"WebhookAuthentication is {realm.WebhookAuthentication}: choose {Choices<WebhookAuthentication>()}.";
        if (realm.WebhookFormat is { } format && !Enum.IsDefined(format))
            yield return $"WebhookFormat is {format}: choose {Choices<WebhookFormat>()}.";
        if (realm.WebhookAuthentication == WebhookAuthentication.RealmToken)
        {
            if (string.IsNullOrWhiteSpace(realm.WebhookAudience))
            {
                yield return
                    "WebhookAudience is empty: for WebhookAuthentication RealmToken give the audience that the webhook was "
                    + "registered with.";
            }

            if (realm.WebhookSecrets.Count > 0)
                yield return "WebhookSecrets are not used with WebhookAuthentication RealmToken: remove them.";
        }
        else if (realm.WebhookAudience is { Length: > 0 })
        {
            yield return $"WebhookAudience is not used with WebhookAuthentication {realm.WebhookAuthentication}: remove it.";
        }

        for (var index = 0; index < realm.WebhookSecrets.Count; index++)
            if (ProblemWith(realm.WebhookSecrets[index], realm.WebhookAuthentication) is { } problem)
                yield return $"WebhookSecrets:{index} {problem}";
    }

    // Empty ones are reported with the other settings of the realm.
    private static string? ProblemWith(string secret, WebhookAuthentication scheme) => scheme switch
    {
        _ when string.IsNullOrWhiteSpace(secret) => null,
        WebhookAuthentication.Basic when !secret.Contains(':', StringComparison.Ordinal) =>
            "has no colon: for WebhookAuthentication Basic give user:password.",
        WebhookAuthentication.StandardWebhooks when StandardWebhooksSignature.KeyOf(secret) is null =>
            "is not base64 of 24 to 64 bytes, which StandardWebhooks asks for: give it as the gateway shows it, with or without whsec_.",
        _ => null,
    };

    private static string Choices<T>()
        where T : struct, Enum => string.Join(", ", Enum.GetNames<T>());
}
