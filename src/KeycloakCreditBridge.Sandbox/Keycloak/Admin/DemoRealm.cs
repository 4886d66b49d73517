using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Sandbox.Keycloak.Admin;

/// <summary>The realm of keycloak-config/, which is part of this assembly.</summary>
internal static class DemoRealm
{
    public const string ClientId = "credit-bridge";

    private const string File = "demo-realm.json";
    private const string SecretPlaceholder = "${CREDIT_BRIDGE_CLIENT_SECRET}";
    private const string WebhookListener = "ext-event-webhook";

    /// <summary>
    /// The file as a server takes it by POST /admin/realms, which replaces no placeholders. Only a server that has the listener of webhooks
    /// is told to use it: others would log an error at each event.
    /// </summary>
    public static string Json(string clientSecret, bool webhooks)
    {
        using var stream = typeof(DemoRealm).Assembly.GetManifestResourceStream(File)!;
        var realm = JsonNode.Parse(stream)!;
        foreach (var client in realm["clients"]!.AsArray().Where(client => client!["secret"]?.GetValue<string>() == SecretPlaceholder))
            client!["secret"] = clientSecret;
        if (webhooks)
            realm["eventsListeners"]!.AsArray().Add(WebhookListener);
        return realm.ToJsonString();
    }
}
