using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Sandbox.Emulator;

/// <summary>Another realm of the same emulator that people may log in with.</summary>
/// <param name="Settings">As given, to be shown again.</param>
internal sealed record IdentityProvider(string Alias, Uri AuthorizationUrl, string ClientId, bool TrustsEmail, bool ForcesSync, JsonObject Settings)
{
    public static IdentityProvider From(JsonObject body)
    {
        var config = body["config"] as JsonObject ?? [];
        return new IdentityProvider(
            body.Text("alias") ?? throw RefusalException.Error(StatusCodes.Status400BadRequest, "alias is missing"),
            new Uri(config.Text("authorizationUrl") ?? throw RefusalException.Error(StatusCodes.Status400BadRequest, "authorizationUrl is missing")),
            config.Text("clientId") ?? "",
            body.Flag("trustEmail") ?? false,
            config.Text("syncMode") is "FORCE",
            body.DeepClone().AsObject());
    }

    /// <summary>The realm behind the provider's addresses.</summary>
    public string RealmName => AuthorizationUrl.Segments.SkipWhile(segment => segment != "realms/").Skip(1).First().TrimEnd('/');
}
