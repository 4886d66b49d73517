using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using KeycloakCreditBridge.Keycloak.Tokens;

namespace KeycloakCreditBridge.Keycloak.Admin;

/// <summary>One answer of the Admin API, complete but not understood yet.</summary>
internal sealed class AdminResponse(
    string realm, AdminRequest request, IAdminAccount account, KeycloakErrors errors, HttpStatusCode status, byte[] body,
    TimeSpan? retryAfter)
{
    private ServerError Error => ServerError.Read(body);

    /// <summary>Whether Keycloak itself says that it has no such user; a proxy's 404, say, is another thing.</summary>
    public bool IsUserNotFound => status == HttpStatusCode.NotFound && Error.Code == "User not found";

    /// <summary>Whether the server has no such resource, as without the plugin that serves it; a missing realm is another thing.</summary>
    public bool IsResourceNotFound =>
        status == HttpStatusCode.NotFound && Error.Code is { } code && !code.StartsWith("Realm ", StringComparison.Ordinal);

    /// <summary>Whether Keycloak fails to read stored events, as it does with two event stores of which none is chosen.</summary>
    public bool LacksEventStore => status == HttpStatusCode.InternalServerError && request.ReadsEvents && Error.Code == "unknown_error";

    /// <summary>Whether Keycloak itself rejects the value of a parameter; false when it answers nevertheless.</summary>
    /// <exception cref="KeycloakException">It did neither.</exception>
    public bool RejectsValue()
    {
        if (status == HttpStatusCode.BadRequest && Error.Code is not null)
            return true;
        Read(KeycloakJson.Default.IReadOnlyListJsonElement);
        return false;
    }

    /// <summary>The JSON that was asked for.</summary>
    /// <exception cref="KeycloakException">The answer is another.</exception>
    public T Read<T>(JsonTypeInfo<T> type)
    {
        if (status != HttpStatusCode.OK)
            throw ToException();
        try
        {
            return JsonSerializer.Deserialize(body, type) ?? throw errors.Garbled(request.ToString());
        }
        catch (JsonException)
        {
            throw errors.Garbled(request.ToString());
        }
    }

    /// <summary>The JSON of any shape; null where a write has no answer.</summary>
    public JsonNode? ReadJson()
    {
        if ((int)status is < 200 or >= 300)
            throw ToException();
        try
        {
            return body.Length == 0 && !request.IsRead ? null : JsonNode.Parse(body);
        }
        catch (JsonException)
        {
            throw errors.Garbled(request.ToString());
        }
    }

    public JsonArray ReadArray() => ReadJson() as JsonArray ?? throw errors.Garbled(request.ToString());

    private Exception ToException()
    {
        var name = request.ToString();
        return status switch
        {
            _ when LacksEventStore => errors.EventStore(name),
            HttpStatusCode.Forbidden => account.Forbidden(realm, name, request.Role),
            HttpStatusCode.NotFound when request.IsRead || Error.IsMissingRealm => errors.NotFound(name, Error),
            _ when !request.IsRead => errors.WriteFailed(name, status, Error),
            _ when KeycloakErrors.IsTransient(status) => errors.Overloaded(name, status, retryAfter),
            _ => errors.Unexpected(name, status, Error),
        };
    }
}
