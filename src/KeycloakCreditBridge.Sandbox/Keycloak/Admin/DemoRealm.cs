using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Sandbox.Keycloak.Admin;

/// <summary>The realm of keycloak-config/, which is part of this assembly.</summary>
internal static class DemoRealm
{
    public const string ClientId = "credit-bridge";

    public const string PageClientId = "credit-bridge-page";

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

    /// <summary>The same with the client of the operator page at this address, and operators with these roles.</summary>
    public static string JsonWithPage(
        string clientSecret, bool webhooks, Uri bridge, params IEnumerable<(SandboxUser User, string[] Roles)> operators)
    {
        var realm = JsonNode.Parse(Json(clientSecret, webhooks))!;
        realm["clients"]!.AsArray().Add(new JsonObject
        {
            ["clientId"] = PageClientId,
            ["secret"] = clientSecret,
            ["publicClient"] = false,
            ["standardFlowEnabled"] = true,
            ["directAccessGrantsEnabled"] = false,
            ["fullScopeAllowed"] = false,
            ["redirectUris"] = new JsonArray(new Uri(bridge, "page/signed-in").ToString()),
            ["attributes"] = new JsonObject
            {
                ["pkce.code.challenge.method"] = "S256",
                ["post.logout.redirect.uris"] = new Uri(bridge, "page/signed-out").ToString(),
                ["backchannel.logout.url"] = new Uri(bridge, "page/back-channel-logout").ToString(),
                ["backchannel.logout.session.required"] = "true",
            },
        });
        var given = operators.ToList();
        string[] roles = ["credits-admin", "credits-viewer", .. given.SelectMany(person => person.Roles)];
        realm["roles"]!["client"]![PageClientId] =
            new JsonArray([.. roles.Distinct(StringComparer.Ordinal).Select(role => new JsonObject { ["name"] = role })]);
        foreach (var (user, ownRoles) in given)
            realm["users"]!.AsArray().Add(new JsonObject
            {
                ["username"] = user.Username,
                ["email"] = user.Email,
                ["emailVerified"] = true,
                ["firstName"] = user.Username,
                ["lastName"] = "Operator",
                ["enabled"] = true,
                ["credentials"] =
                    new JsonArray(new JsonObject { ["type"] = "password", ["value"] = user.Password, ["temporary"] = false }),
                ["clientRoles"] = new JsonObject
                {
                    [PageClientId] = new JsonArray([.. ownRoles.Select(role => JsonValue.Create(role))]),
                },
            });
        return realm.ToJsonString();
    }
}
