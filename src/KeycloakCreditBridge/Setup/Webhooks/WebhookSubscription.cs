using System.Text.Json.Nodes;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Setup.Webhooks;

/// <summary>The webhook by which one realm reports to the bridge.</summary>
/// <param name="webhooks">The realm's webhooks.</param>
/// <param name="options">Its secrets.</param>
/// <param name="bridge">The address at which Keycloak reaches the bridge; null when it is not known.</param>
internal sealed class WebhookSubscription(PhaseTwoWebhooks webhooks, KeycloakOptions options, Uri? bridge)
{
    private RealmOptions Settings => options.Realm(webhooks.Realm);

    /// <summary>Why the realm gets no webhook although the server has Phase Two's plugin; null when it gets one.</summary>
    public string? SkipReason => Settings.WebhookAuthentication is WebhookAuthentication.Hmac or WebhookAuthentication.HmacSha1
        ? null
        : $"webhooks of realm {webhooks.Realm} prove their sender by {Settings.WebhookAuthentication}, which Phase Two's plugin does " +
            "not: set up the plugin that does";

    /// <summary>The change that makes the webhook right; null when it is.</summary>
    /// <exception cref="ConfigurationException">Address or secret are not configured.</exception>
    public async Task<SetupStep?> PlanAsync(IReadOnlyList<RegisteredWebhook> there, SetupRecord record, CancellationToken cancellationToken)
    {
        var (url, secret) = (Address(), Secret());
        var known = there.FirstOrDefault(webhook => webhook.Url == url) ?? there.FirstOrDefault(webhook => webhook.Url == record.Webhook);
        if (known is null)
        {
            record.Webhook = url;
            return new SetupStep(
                [$"+ webhook to {url} in realm {webhooks.Realm}, for {string.Join(" and ", RealmRequirements.Subscription)}"],
                token => webhooks.SendAsync(HttpMethod.Post, null, Body(url, secret, RealmRequirements.Subscription), token));
        }

        string[] lacking = [.. known.MissingTypes];
        List<string> wrong = [];
        if (known.Url != url)
            wrong.Add($"leads there and no longer to {known.Url}");
        if (!known.Enabled)
            wrong.Add("enabled");
        if (lacking.Length > 0)
            wrong.Add($"for {string.Join(", ", lacking)} too");
        var shown = await webhooks.SecretAsync(known.Id, cancellationToken);
        if (shown != secret && !SecretMask.Covers(shown))
            wrong.Add($"signed with {options.RealmKeyOf(webhooks.Realm)}:WebhookSecrets:0");
        if (wrong.Count == 0)
            return null;
        if (record.Webhook is not null)
            record.Webhook = url;
        var types =
            lacking.Length == 0 ? known.EventTypes : [.. known.EventTypes.Union(RealmRequirements.Subscription, StringComparer.Ordinal)];
        return new SetupStep(
            [$"~ webhook to {url} in realm {webhooks.Realm}: {string.Join("; ", wrong)}"],
            token => webhooks.SendAsync(HttpMethod.Put, known.Id, Body(url, secret, types), token));
    }

    private string Address() => bridge is null
        ? throw new ConfigurationException([
            "Keycloak has Phase Two's webhook plugin, and setup does not know at which address Keycloak reaches the bridge: say " +
            "--webhook-url http://bridge:8085 "
            + "(or set Intake:Webhook:Url), or --no-webhook for polling alone."])
        : bridge.AbsoluteUri.TrimEnd('/') + RealmRequirements.WebhookPath(webhooks.Realm);

    private string Secret() => Settings.WebhookSecrets.FirstOrDefault() is { Length: > 0 } secret
        ? secret
        : throw new ConfigurationException([
            $"{options.RealmKeyOf(webhooks.Realm)}:WebhookSecrets:0 is empty, and webhooks of realm '{webhooks.Realm}' must be signed: " +
            "set it to a long random text, "
            + "or say --no-webhook for polling alone."]);

    private JsonObject Body(string url, string secret, IEnumerable<string> types) => new()
    {
        ["enabled"] = true,
        ["url"] = url,
        // Newer plugins stop signing when a change does not name the secret.
        ["secret"] = secret,
        ["algorithm"] = Settings.WebhookAuthentication == WebhookAuthentication.HmacSha1 ? "HmacSHA1" : "HmacSHA256",
        ["eventTypes"] = new JsonArray([.. types.Select(type => (JsonNode?)JsonValue.Create(type))]),
    };
}
