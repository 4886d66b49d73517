using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Http;

namespace KeycloakCreditBridge.Sandbox.Emulator.Clients;

/// <summary>Another realm of the same emulator that users may log in with.</summary>
/// <param name="TrustsEmail">Whether addresses count as verified.</param>
/// <param name="ForcesSync">Whether each login takes over name and address, for which there is no event.</param>
internal sealed record IdentityProvider(string Alias, Uri AuthorizationUrl, string ClientId, bool TrustsEmail, bool ForcesSync)
{
    public static IdentityProvider From(JsonObject body)
    {
        var config = body["config"] as JsonObject ?? [];
        return new IdentityProvider(
            body.Text("alias") ?? throw Missing("alias"),
            new Uri(config.Text("authorizationUrl") ?? throw Missing("authorizationUrl")),
            config.Text("clientId") ?? throw Missing("clientId"),
            body.Flag("trustEmail") ?? false,
            config.Text("syncMode") is "FORCE");
    }

    /// <summary>The realm behind the provider's addresses.</summary>
    public string RealmName => AuthorizationUrl.Segments.SkipWhile(segment => segment != "realms/").Skip(1).First().TrimEnd('/');

    private static RefusalException Missing(string field) => RefusalException.Error(StatusCodes.Status400BadRequest, $"{field} is missing");
}
