using System.Buffers.Text;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Sandbox.Emulator;

/// <summary>
/// Issues and reads access tokens. They have the shape and the claims of Keycloak's but are signed with HMAC: to everybody but
/// the emulator they are opaque.
/// </summary>
internal sealed class AccessTokens(RealmRegistry realms, EmulatorClock clock, Uri server)
{
    private const string Header = """{"alg":"HS256","typ":"JWT"}""";

    /// <summary>How long new tokens are good for.</summary>
    public TimeSpan Lifetime { get; set; } = TimeSpan.FromMinutes(5);

    public string Issue(RealmState realm, EmulatedUser user, EmulatedClient client)
    {
        var now = clock.Now;
        var access = new JsonObject();
        foreach (var roles in Caller.Expand(user.ClientRoles).Select(role => role.Split('/')).GroupBy(role => role[0], role => role[1]))
            access[roles.Key] = new JsonObject { ["roles"] = new JsonArray([.. roles.Select(role => JsonValue.Create(role))]) };
        var claims = new JsonObject
        {
            ["exp"] = (now + Lifetime).ToUnixTimeSeconds(),
            ["iat"] = now.ToUnixTimeSeconds(),
            ["jti"] = Guid.NewGuid().ToString(),
            ["iss"] = $"{server}realms/{realm.Name}",
            ["aud"] = RealmState.Management,
            ["sub"] = user.Id,
            ["typ"] = "Bearer",
            ["azp"] = client.ClientId,
            ["resource_access"] = access,
            ["scope"] = "profile email",
            ["preferred_username"] = user.Username,
        };
        var signed = $"{Encode(Header)}.{Encode(claims.ToJsonString(EmulatorJson.Readable))}";
        return $"{signed}.{Encode(Sign(realm, signed))}";
    }

    /// <summary>The caller, or null when the token is none of ours, was changed, or is over.</summary>
    public Caller? Read(string token)
    {
        if (token.Split('.') is not [var header, var payload, var signature] || Parse(payload) is not { } claims)
            return null;
        var realm = realms.Find(claims.Text("iss")?.Split('/')[^1] ?? "");
        if (realm is null || signature != Encode(Sign(realm, $"{header}.{payload}")))
            return null;
        if (clock.Now.ToUnixTimeSeconds() >= claims.Number("exp") || !realm.Clients.TryGetValue(claims.Text("azp")!, out var client))
            return null;
        return new Caller(realm, claims.Text("sub")!, claims.Text("preferred_username")!, client.Uuid, RolesOf(claims));
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

    private static byte[] Sign(RealmState realm, string signed) => HMACSHA256.HashData(realm.Key, Encoding.ASCII.GetBytes(signed));

    private static string Encode(string text) => Encode(Encoding.UTF8.GetBytes(text));

    private static string Encode(byte[] bytes) => Base64Url.EncodeToString(bytes);
}
