using System.Collections.Immutable;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Http;

namespace KeycloakCreditBridge.Sandbox.Emulator.Clients;

/// <summary>A client of a realm.</summary>
/// <param name="Uuid">The internal id, which admin events name.</param>
/// <param name="ClientId">The readable id, which user events name.</param>
/// <param name="Attributes">Named values without a field of their own.</param>
internal sealed record EmulatedClient(
    string Uuid, string ClientId, string? Secret, bool IsPublic, bool HasServiceAccount, bool Enabled, IReadOnlyList<string> RedirectUris,
    JsonObject Attributes)
{
    /// <summary>Stands in answers and events for a secret that is not shown.</summary>
    public const string Mask = "**********";

    /// <summary>A client without a secret, such as every realm has from the start.</summary>
    public static EmulatedClient Public(string clientId, params IReadOnlyList<string> redirectUris) =>
        new(Guid.NewGuid().ToString(), clientId, null, true, false, true, redirectUris, []);

    public static EmulatedClient From(JsonObject body) => new EmulatedClient(
        body.Text("id") ?? Guid.NewGuid().ToString(),
        body.Text("clientId") ?? throw RefusalException.Error(StatusCodes.Status400BadRequest, "Client id is missing"),
        null, false, false, true, [], []).With(body);

    /// <summary>The client after a write: fields that the body does not name keep their values; an empty attribute is removed.</summary>
    public EmulatedClient With(JsonObject body) => this with
    {
        Secret = body.Text("secret") is { } written and not Mask ? written : Secret,
        IsPublic = body.Flag("publicClient") ?? IsPublic,
        HasServiceAccount = body.Flag("serviceAccountsEnabled") ?? HasServiceAccount,
        Enabled = body.Flag("enabled") ?? Enabled,
        RedirectUris = body.Texts("redirectUris") ?? RedirectUris,
        Authenticator = body.Text("clientAuthenticatorType") ?? Authenticator,
        HasFullScope = body.Flag("fullScopeAllowed") ?? HasFullScope,
        HasStandardFlow = body.Flag("standardFlowEnabled") ?? HasStandardFlow,
        HasDirectGrants = body.Flag("directAccessGrantsEnabled") ?? HasDirectGrants,
        Attributes = Merged(body["attributes"] as JsonObject ?? []),
        Audiences = body.ContainsKey("protocolMappers") ? [.. AudiencesIn(body)] : Audiences,
    };

    /// <summary>Audiences that mappers add to the client's access tokens.</summary>
    public IReadOnlyList<string> Audiences { get; init; } = [];

    /// <summary>How the client proves itself: client-secret or client-jwt.</summary>
    public string Authenticator { get; init; } = "client-secret";

    /// <summary>Whether tokens hold all roles of their user, and not those alone that are in the client's scope.</summary>
    public bool HasFullScope { get; init; } = true;

    /// <summary>Whether users sign in to it with a browser.</summary>
    public bool HasStandardFlow { get; init; } = true;

    /// <summary>Whether it may take passwords itself.</summary>
    public bool HasDirectGrants { get; init; }

    /// <summary>Roles of realm-management in the client's scope.</summary>
    public ImmutableHashSet<string> Scope { get; init; } = [];

    public bool Allows(string redirectUri) => RedirectUris.Any(pattern => pattern.EndsWith('*')
        ? redirectUri.StartsWith(pattern[..^1], StringComparison.Ordinal)
        : redirectUri == pattern);

    /// <summary>Whether a browser may be sent there after a logout.</summary>
    public bool AllowsAfterLogout(string address) => Attributes["post.logout.redirect.uris"] is { } allowed
        && ((string)allowed!).Split("##").Contains(address, StringComparer.Ordinal);

    /// <summary>Names of the client's own roles.</summary>
    public ImmutableHashSet<string> Roles { get; init; } = [];

    public JsonObject ToJson(bool masksSecret)
    {
        var shown = new JsonObject
        {
            ["id"] = Uuid,
            ["clientId"] = ClientId,
            ["enabled"] = Enabled,
            ["redirectUris"] = new JsonArray([.. RedirectUris.Select(uri => JsonValue.Create(uri))]),
            ["serviceAccountsEnabled"] = HasServiceAccount,
            ["publicClient"] = IsPublic,
            ["protocol"] = "openid-connect",
            ["clientAuthenticatorType"] = Authenticator,
            ["fullScopeAllowed"] = HasFullScope,
            ["standardFlowEnabled"] = HasStandardFlow,
            ["directAccessGrantsEnabled"] = HasDirectGrants,
            ["attributes"] = Attributes.DeepClone(),
        };
        if (!IsPublic)
            shown["secret"] = masksSecret ? Mask : Secret;
        return shown;
    }

    private JsonObject Merged(JsonObject written)
    {
        var merged = Attributes.DeepClone().AsObject();
        foreach (var (name, value) in written)
        {
            if (string.IsNullOrEmpty((string?)value))
                merged.Remove(name);
            else
                merged[name] = value.DeepClone();
        }

        return merged;
    }

    private static IEnumerable<string> AudiencesIn(JsonObject body) => body.Objects("protocolMappers")
        .Where(mapper => mapper.Text("protocolMapper") == "oidc-audience-mapper")
        .Select(mapper => (mapper["config"] as JsonObject)?.Text("included.client.audience"))
        .OfType<string>();
}
