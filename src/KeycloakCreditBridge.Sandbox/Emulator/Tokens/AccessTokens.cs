using System.Buffers.Text;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Clients;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Pages;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Users;

namespace KeycloakCreditBridge.Sandbox.Emulator.Tokens;

/// <summary>Issues and reads access tokens, and publishes their keys. ES256, because its keys are cheap to generate.</summary>
internal sealed class AccessTokens(RealmRegistry realms, EmulatorClock clock, Uri server)
{
    /// <summary>The lifetime of new tokens.</summary>
    public TimeSpan Lifetime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>A token of a session of the user; with an actor, of one that an administrator impersonates.</summary>
    public string Issue(
        RealmState realm, EmulatedUser user, EmulatedClient client, EmulatedUser? actor = null, string? boundTo = null,
        string? sessionId = null)
    {
        var now = clock.Now;
        var access = new JsonObject();
        var given = Caller.Expand(user.ClientRoles);
        if (!client.HasFullScope)
            given = [
                .. given.Where(role => role.StartsWith($"{client.ClientId}/", StringComparison.Ordinal)),
                .. given.Intersect(Caller.Expand(client.Scope)),
            ];
        foreach (var roles in given.Select(role => role.Split('/')).GroupBy(role => role[0], role => role[1]))
            access[roles.Key] = new JsonObject { ["roles"] = new JsonArray([.. roles.Select(role => JsonValue.Create(role))]) };
        var claims = new JsonObject
        {
            ["exp"] = (now + Lifetime).ToUnixTimeSeconds(),
            ["iat"] = now.ToUnixTimeSeconds(),
            ["jti"] = Guid.NewGuid().ToString(),
            ["iss"] = $"{server}realms/{realm.Name}",
            ["aud"] = new JsonArray([RealmState.Management, .. client.Audiences.Select(audience => JsonValue.Create(audience))]),
            ["sub"] = user.Id,
            ["typ"] = "Bearer",
            ["azp"] = client.ClientId,
            ["resource_access"] = access,
            ["scope"] = "profile email",
            ["preferred_username"] = user.Username,
        };
        string[] realmRoles;
        lock (realm.Gate)
            realmRoles = [.. realm.Memberships.RolesOf(user).Select(role => role.Name)];
        if (realmRoles.Length > 0)
            claims["realm_access"] = new JsonObject { ["roles"] = new JsonArray([.. realmRoles.Select(role => JsonValue.Create(role))]) };
        if (sessionId is not null)
            claims["sid"] = sessionId;
        if (actor is not null)
            claims["act"] = new JsonObject { ["sub"] = actor.Id, ["preferred_username"] = actor.Username };
        if (boundTo is not null)
            claims["cnf"] = new JsonObject { ["jkt"] = boundTo };
        return Sign(realm, claims.ToJsonString(EmulatorJson.Readable));
    }

    /// <summary>Says who signed in, to the client alone.</summary>
    public string IssueId(RealmState realm, EmulatedUser user, IssuedCode login)
    {
        var now = clock.Now;
        return Sign(realm, new JsonObject
        {
            ["exp"] = (now + Lifetime).ToUnixTimeSeconds(),
            ["iat"] = now.ToUnixTimeSeconds(),
            ["jti"] = Guid.NewGuid().ToString(),
            ["iss"] = $"{server}realms/{realm.Name}",
            ["aud"] = login.ClientId,
            ["sub"] = user.Id,
            ["typ"] = "ID",
            ["azp"] = login.ClientId,
            ["nonce"] = login.Nonce,
            ["sid"] = login.SessionId,
            ["preferred_username"] = user.Username,
        }.ToJsonString(EmulatorJson.Readable));
    }

    /// <summary>Tells a client that a session ended.</summary>
    public string IssueLogout(RealmState realm, IssuedCode login)
    {
        var now = clock.Now;
        return Sign(realm, new JsonObject
        {
            ["exp"] = now.AddMinutes(2).ToUnixTimeSeconds(),
            ["iat"] = now.ToUnixTimeSeconds(),
            ["jti"] = Guid.NewGuid().ToString(),
            ["iss"] = $"{server}realms/{realm.Name}",
            ["aud"] = login.ClientId,
            ["sub"] = login.UserId,
            ["typ"] = "Logout",
            ["sid"] = login.SessionId,
            ["events"] = new JsonObject { ["http://schemas.openid.net/event/backchannel-logout"] = new JsonObject() },
        }.ToJsonString(EmulatorJson.Readable));
    }

    /// <summary>A token of the realm with these claims.</summary>
    /// <param name="realm">Whose key signs it.</param>
    /// <param name="claims">A JSON object, as it is to be signed.</param>
    /// <param name="more">Further members of the header, each with a comma before it.</param>
    public static string Sign(RealmState realm, string claims, string more = "")
    {
        var header = $$"""{"alg":"ES256","typ":"JWT","kid":"{{realm.KeyId}}"{{more}}}""";
        var signed = $"{Encode(header)}.{Encode(claims)}";
        lock (realm.Gate)
            return $"{signed}.{Encode(realm.Key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256))}";
    }

    /// <summary>The realm's keys as a JSON Web Key Set.</summary>
    public static JsonObject KeysOf(RealmState realm)
    {
        var point = realm.Key.ExportParameters(includePrivateParameters: false).Q;
        return new JsonObject
        {
            ["keys"] = new JsonArray(new JsonObject
            {
                ["kid"] = realm.KeyId,
                ["kty"] = "EC",
                ["alg"] = "ES256",
                ["use"] = "sig",
                ["crv"] = "P-256",
                ["x"] = Encode(point.X!),
                ["y"] = Encode(point.Y!),
            }),
        };
    }

    /// <summary>The session that a token of the realm names; null when the realm did not sign it.</summary>
    public static string? ReadSession(RealmState realm, string token) =>
        token.Split('.') is [var header, var payload, var signature] && IsSigned(realm, $"{header}.{payload}", signature)
            ? Parse(payload)?.Text("sid")
            : null;

    /// <summary>The caller, or null when the token is foreign, was changed, or has expired.</summary>
    public Caller? Read(string token)
    {
        if (token.Split('.') is not [var header, var payload, var signature] || Parse(payload) is not { } claims)
            return null;
        var realm = realms.Find(claims.Text("iss")?.Split('/')[^1] ?? "");
        if (realm is null || !IsSigned(realm, $"{header}.{payload}", signature))
            return null;
        if (clock.Now.ToUnixTimeSeconds() >= claims.Number("exp") || !realm.Clients.TryGetValue(claims.Text("azp")!, out var client))
            return null;
        return new Caller(realm, claims.Text("sub")!, claims.Text("preferred_username")!, client.Uuid, RolesOf(claims))
        {
            BoundTo = (string?)claims["cnf"]?["jkt"],
        };
    }

    private static ImmutableHashSet<string> RolesOf(JsonObject claims) =>
        [.. ((JsonObject)claims["resource_access"]!).SelectMany(client =>
            ((JsonObject)client.Value!).Texts("roles")!.Select(role => $"{client.Key}/{role}"))];

    private static JsonObject? Parse(string payload)
    {
        try
        {
            return JsonNode.Parse(Base64Url.DecodeFromChars(payload)) as JsonObject;
        }
        catch (Exception exception) when (exception is FormatException or JsonException)
        {
            return null;
        }
    }

    private static bool IsSigned(RealmState realm, string signed, string signature)
    {
        lock (realm.Gate)
            return Base64Url.IsValid(signature)
                && realm.Key.VerifyData(Encoding.ASCII.GetBytes(signed), Base64Url.DecodeFromChars(signature), HashAlgorithmName.SHA256);
    }

    private static string Encode(string text) => Encode(Encoding.UTF8.GetBytes(text));

    private static string Encode(byte[] bytes) => Base64Url.EncodeToString(bytes);
}
