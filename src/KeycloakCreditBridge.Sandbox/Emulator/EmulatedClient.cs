using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Sandbox.Emulator;

/// <summary>A client of a realm.</summary>
/// <param name="Uuid">The internal id, which admin events name.</param>
/// <param name="ClientId">The readable id, which user events name.</param>
internal sealed record EmulatedClient(
    string Uuid, string ClientId, string? Secret, bool IsPublic, bool HasServiceAccount, IReadOnlyList<string> RedirectUris)
{
    /// <summary>A client without a secret, such as every realm has from the start.</summary>
    public static EmulatedClient Public(string clientId, params IReadOnlyList<string> redirectUris) =>
        new(Guid.NewGuid().ToString(), clientId, null, true, false, redirectUris);

    public static EmulatedClient From(JsonObject body) => new(
        body.Text("id") ?? Guid.NewGuid().ToString(),
        body.Text("clientId") ?? throw RefusalException.Error(StatusCodes.Status400BadRequest, "Client id is missing"),
        body.Text("secret"),
        body.Flag("publicClient") ?? false,
        body.Flag("serviceAccountsEnabled") ?? false,
        body.Texts("redirectUris") ?? [])
    {
        Audiences =
        [
            .. body.Objects("protocolMappers")
                .Where(mapper => mapper.Text("protocolMapper") == "oidc-audience-mapper")
                .Select(mapper => (mapper["config"] as JsonObject)?.Text("included.client.audience"))
                .OfType<string>(),
        ],
    };

    /// <summary>Audiences that a mapper adds to the client's access tokens.</summary>
    public IReadOnlyList<string> Audiences { get; init; } = [];

    public bool Allows(string redirectUri) => RedirectUris.Any(pattern => pattern.EndsWith('*')
        ? redirectUri.StartsWith(pattern[..^1], StringComparison.Ordinal)
        : redirectUri == pattern);

    public JsonObject ToJson() => new()
    {
        ["id"] = Uuid,
        ["clientId"] = ClientId,
        ["enabled"] = true,
        ["redirectUris"] = new JsonArray([.. RedirectUris.Select(uri => JsonValue.Create(uri))]),
        ["serviceAccountsEnabled"] = HasServiceAccount,
        ["publicClient"] = IsPublic,
        ["protocol"] = "openid-connect",
    };
}
