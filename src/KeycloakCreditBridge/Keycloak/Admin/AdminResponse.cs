using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace KeycloakCreditBridge.Keycloak.Admin;

/// <summary>One answer of the Admin API, complete but not understood yet.</summary>
internal sealed class AdminResponse(AdminRequest question, KeycloakErrors failure, HttpStatusCode status, byte[] body, TimeSpan? retryAfter)
{
    private ServerError Error => ServerError.Read(body);

    /// <summary>Whether Keycloak itself says that it has no such user; a proxy's 404, say, is another thing.</summary>
    public bool IsUserNotFound => status == HttpStatusCode.NotFound && Error.Code == "User not found";

    /// <summary>Whether Keycloak itself rejects the value of a parameter; false when it answers nevertheless.</summary>
    /// <exception cref="KeycloakException">It did neither.</exception>
    public bool RejectsValue<T>(JsonTypeInfo<T> otherwise)
    {
        if (status == HttpStatusCode.BadRequest && Error.Code is not null)
            return true;
        Read(otherwise);
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
            return JsonSerializer.Deserialize(body, type) ?? throw failure.Garbled(question.ToString());
        }
        catch (JsonException)
        {
            throw failure.Garbled(question.ToString());
        }
    }

    private KeycloakException ToException()
    {
        var asked = question.ToString();
        return status switch
        {
            HttpStatusCode.InternalServerError when question.ReadsEvents && Error.Code == "unknown_error" => failure.EventStore(asked),
            _ when KeycloakErrors.IsTransient(status) => failure.Overloaded(asked, status, retryAfter),
            HttpStatusCode.Unauthorized => failure.TokenRefused(),
            HttpStatusCode.Forbidden => failure.Forbidden(asked, question.Role),
            HttpStatusCode.NotFound => failure.NotFound(asked, Error),
            _ => failure.Unexpected(asked, status, Error),
        };
    }
}
