using System.Collections.Concurrent;
using KeycloakCreditBridge.Sandbox.Emulator.Clients;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace KeycloakCreditBridge.Sandbox.Emulator.Tokens;

/// <summary>Statements by which clients prove themselves (client-jwt), each good for one use.</summary>
internal sealed class ClientAssertions(EmulatorClock clock, Uri server)
{
    private readonly ConcurrentDictionary<string, bool> _used = new(StringComparer.Ordinal);

    /// <exception cref="RefusalException">It does not prove that the request is the client's.</exception>
    public async Task CheckAsync(RealmState realm, EmulatedClient client, IFormCollection form)
    {
        if (form["client_assertion_type"].Count == 0)
            throw Refused("Parameter client_assertion_type is missing");
        var assertion = form["client_assertion"].ToString();
        var handler = new JsonWebTokenHandler();
        if (!handler.CanReadToken(assertion))
            throw Refused("Parameter client_assertion is missing");
        var token = handler.ReadJsonWebToken(assertion);
        if (client.Attributes["token.endpoint.auth.signing.alg"] is { } algorithm && (string?)algorithm != token.Alg)
            throw Refused("Invalid signature algorithm");
        var keys = (string?)client.Attributes["use.jwks.string"] == "true" ? (string?)client.Attributes["jwks.string"] : null;
        var key = new JsonWebKeySet(keys ?? """{"keys":[]}""").Keys.FirstOrDefault(known => known.Kid == token.Kid)
            ?? throw Refused("Unable to load public key");
        var now = clock.Now.UtcDateTime;
        if (token.IssuedAt > now)
            throw Refused("Token was issued in the future");
        if (token.ValidTo < now)
            throw Refused("Token is not active");
        var result = await handler.ValidateTokenAsync(assertion, new TokenValidationParameters
        {
            IssuerSigningKey = key,
            ValidIssuer = client.ClientId,
            ValidAudience = $"{server}realms/{Uri.EscapeDataString(realm.Name)}",
#pragma warning disable CA5404 // The times are compared with the realm's clock above.
            ValidateLifetime = false,
#pragma warning restore CA5404
        });
        if (!result.IsValid || token.Subject != client.ClientId)
        {
            throw Refused(result.Exception is SecurityTokenInvalidAudienceException
                ? "Invalid token audience"
                : "Signature on JWT token failed validation");
        }

        if (!_used.TryAdd(token.Id, true))
            throw Refused("Token reuse detected");
    }

    private static RefusalException Refused(string description) =>
        RefusalException.Error(StatusCodes.Status400BadRequest, "invalid_client", description);
}
