using System.Text;
using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Sandbox.Emulator.Http;

/// <summary>Ends a request with one of Keycloak's error answers.</summary>
internal sealed class RefusalException(int status, JsonObject body) : InvalidOperationException($"{status} {body.ToJsonString()}")
{
    public static RefusalException Unauthorized => Error(StatusCodes.Status401Unauthorized, "HTTP 401 Unauthorized");

    public static RefusalException Forbidden => Error(StatusCodes.Status403Forbidden, "HTTP 403 Forbidden");

    public static RefusalException NotFound => Error(StatusCodes.Status404NotFound, "HTTP 404 Not Found");

    /// <summary>The answer of everything but the admin API for an unknown realm.</summary>
    public static RefusalException NoSuchRealm => Error(StatusCodes.Status404NotFound, "Realm does not exist");

    public static RefusalException UserNotFound => Error(StatusCodes.Status404NotFound, "User not found");

    /// <summary>Keycloak's answer after an internal exception, such as one for an unknown event type.</summary>
    public static RefusalException Unknown =>
        Error(StatusCodes.Status500InternalServerError, "unknown_error", "For more on this error consult the server log.");

    public Answer Answer { get; } =
        new(status, Encoding.UTF8.GetBytes(body.ToJsonString(EmulatorJson.Readable)), "application/json");

    public static RefusalException Error(int status, string error) => new(status, new JsonObject { ["error"] = error });

    public static RefusalException Error(int status, string error, string description) =>
        new(status, new JsonObject { ["error"] = error, ["error_description"] = description });

    public static RefusalException Conflict(string message) =>
        new(StatusCodes.Status409Conflict, new JsonObject { ["errorMessage"] = message });

    public static RefusalException Field(string field, string message, params string[] parameters) =>
        new(StatusCodes.Status400BadRequest, new JsonObject
        {
            ["field"] = field,
            ["errorMessage"] = message,
            ["params"] = new JsonArray([field, .. parameters.Select(parameter => JsonValue.Create(parameter))]),
        });
}
