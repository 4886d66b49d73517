using KeycloakCreditBridge.Intake.Webhooks;
using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Tests.Intake.Webhooks;

public sealed class WebhookSettingsTests
{
    [Fact]
    public void Settings_that_do_not_fit_are_named_and_secrets_are_not()
    {
        var failures = Validate(
            new() { WebhookAuthentication = (WebhookAuthentication)99, WebhookFormat = (WebhookFormat)98, WebhookSecrets = ["anything"] },
            new() { WebhookAuthentication = WebhookAuthentication.Basic, WebhookSecrets = ["user:password", "no-colon", " "] });
        Assert.Collection(
            failures,
            failure => Assert.StartsWith(
                "Keycloak:Realms:0:WebhookAuthentication is 99: choose Hmac, HmacSha1,", failure, StringComparison.Ordinal),
            failure => Assert.StartsWith("Keycloak:Realms:0:WebhookFormat is 98: choose PhaseTwo,", failure, StringComparison.Ordinal),
            failure => Assert.Equal(
                "Keycloak:Realms:1:WebhookSecrets:1 has no colon: for WebhookAuthentication Basic give user:password.", failure));
    }

    [Fact]
    public void Every_format_and_scheme_is_explained_in_the_documents()
    {
        var page = File.ReadAllText(Path.Combine(Repository.Top, "docs", "webhooks.md"));
        Assert.All(
            [.. Enum.GetNames<WebhookFormat>(), .. Enum.GetNames<WebhookAuthentication>()],
            name => Assert.Contains($"`{name}`", page, StringComparison.Ordinal));
    }

    private static List<string> Validate(params RealmOptions[] realms) =>
        [.. new WebhookSettingsValidator().Validate(null, new KeycloakOptions { Realms = [.. realms] }).Failures ?? []];
}
