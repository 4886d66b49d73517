using System.Buffers.Text;
using System.Text.Json;
using KeycloakCreditBridge.Api;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Tokens;
using KeycloakCreditBridge.Setup.Operators;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;

namespace KeycloakCreditBridge.Page.Sessions;

/// <summary>Redeems codes and refresh tokens of operators, and reads from the tokens who they are and which roles they have.</summary>
internal sealed class OperatorTokens(
    LoginTokens tokens, RealmTokens verifier, IOptions<PageOptions> page, IOptions<KeycloakOptions> keycloak, IOptions<ApiOptions> api)
{
    private const string RoleStem = "credits-";

    /// <summary>The realm that operators sign in to.</summary>
    public string Realm => page.Value.RealmOf(keycloak.Value);

    /// <summary>Redeems a code of the authorization endpoint.</summary>
    /// <exception cref="KeycloakException">Keycloak did not decide.</exception>
    public async Task<SignedInUser> RedeemCodeAsync(string code, string verifier, string nonce, CancellationToken cancellationToken)
    {
        var answer = await tokens.RedeemAsync(
            Realm,
            [
                new("grant_type", "authorization_code"), new("code", code), new("code_verifier", verifier),
                new("redirect_uri", page.Value.AddressOf(PagePaths.SignedIn)), .. Client(),
            ],
            cancellationToken);
        if (answer.Tokens is not { IdToken: { } idToken } given)
            return SignedInUser.Refused(answer.Refusal?.Describe(page.Value.ClientSecret) ?? "Keycloak gave no ID token");
        var proof = await VerifyAsync(idToken, page.Value.ClientId, cancellationToken);
        return proof.Token is null ? SignedInUser.Refused($"the ID token is refused: {proof.Problem}")
            : TextOf(proof.Token, "nonce") != nonce ? SignedInUser.Refused("the ID token is of another sign-in")
            : await ReadAsync(given, proof.Token.Subject, cancellationToken);
    }

    /// <summary>Redeems a refresh token, which tells the roles that the operator has now.</summary>
    /// <exception cref="KeycloakException">Keycloak did not decide.</exception>
    public async Task<SignedInUser> RefreshAsync(string refreshToken, string subject, CancellationToken cancellationToken)
    {
        var answer = await tokens.RedeemAsync(
            Realm, [new("grant_type", "refresh_token"), new("refresh_token", refreshToken), .. Client()], cancellationToken);
        return answer.Tokens is { } given
            ? await ReadAsync(given, subject, cancellationToken)
            : SignedInUser.Refused(answer.Refusal!.Describe(page.Value.ClientSecret));
    }

    /// <summary>The session or user that a logout token ends; null when it proves nothing.</summary>
    /// <exception cref="KeycloakException">The realm's keys are not known.</exception>
    public async Task<EndedLogin?> ReadLogoutAsync(string logoutToken, CancellationToken cancellationToken)
    {
        const string Event = "http://schemas.openid.net/event/backchannel-logout";
        if ((await VerifyAsync(logoutToken, page.Value.ClientId, cancellationToken)).Token is not { } token
            || !token.TryGetPayloadValue<JsonElement>("events", out var events) || events.ValueKind != JsonValueKind.Object
            || !events.TryGetProperty(Event, out _) || token.TryGetPayloadValue<object>("nonce", out _))
            return null;
        var (session, subject) = (TextOf(token, "sid"), TextOf(token, "sub"));
        return session is null && subject is null ? null : new EndedLogin(session, subject);
    }

    // The access token came from Keycloak itself, for this client's secret: its audience are others.
    private async Task<SignedInUser> ReadAsync(LoginTokenSet given, string subject, CancellationToken cancellationToken)
    {
        var proof = await VerifyAsync(given.AccessToken, null, cancellationToken);
        if (proof.Token is not { } token)
            return SignedInUser.Refused($"the access token is refused: {proof.Problem}");
        if (TextOf(token, "azp") != page.Value.ClientId || token.Subject != subject)
            return SignedInUser.Refused("the access token is another client's or another user's");
        using var claims = JsonDocument.Parse(Base64Url.DecodeFromChars(token.EncodedPayload));
        var roles = Caller.RolesOf(claims.RootElement, api.Value.Audience)
            .Union(Caller.RolesOf(claims.RootElement, page.Value.ClientId), StringComparer.Ordinal)
            .Where(role => role.StartsWith(RoleStem, StringComparison.Ordinal));
        return new SignedInUser(
            token.Subject, TextOf(token, "preferred_username") ?? token.Subject, TextOf(token, "sid"), [.. roles], given, null);
    }

    private Task<TokenVerification> VerifyAsync(string token, string? audience, CancellationToken cancellationToken) =>
        verifier.VerifyAsync(Realm, token, audience, cancellationToken);

    private IEnumerable<KeyValuePair<string, string>> Client() =>
        [new("client_id", page.Value.ClientId), new("client_secret", page.Value.ClientSecret)];

    private static string? TextOf(JsonWebToken token, string claim) =>
        token.TryGetPayloadValue<string>(claim, out var text) ? text : null;
}

/// <summary>The user who signed in, or why none did.</summary>
/// <param name="KeycloakSession">Keycloak's session; null where tokens do not name it.</param>
/// <param name="Roles">Only those of the bridge.</param>
/// <param name="Problem">Why there are no tokens; null when there are.</param>
internal sealed record SignedInUser(
    string Subject, string Name, string? KeycloakSession, string[] Roles, LoginTokenSet? Tokens, string? Problem)
{
    public static SignedInUser Refused(string problem) => new("", "", null, [], null, problem);
}

/// <summary>What a back-channel logout ends: one session, or without one all of a user.</summary>
internal sealed record EndedLogin(string? Session, string? Subject);
