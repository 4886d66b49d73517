using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Intake;

/// <summary>What a delivery says happened; neither event is set when its type means nothing here.</summary>
/// <param name="Realm">Name of the realm, where the body tells it.</param>
internal sealed record Delivery(string? Realm, UserEvent? User, AdminEvent? Admin);

/// <summary>A body that is not what its sender should have sent. The message names what is wrong.</summary>
internal sealed class MalformedDeliveryException(string message) : Exception(message);

/// <summary>
/// Bodies of Phase Two's `ext-event-webhook`. Their type says where an event comes from: `access.REGISTER` is a user event,
/// `admin.USER-CREATE` an admin event of resource type USER and operation CREATE, all others (`system.*`, custom ones) are no users'.
/// </summary>
internal static class PhaseTwoFormat
{
    private const string UserPrefix = "access.";
    private const string AdminPrefix = "admin.";

    /// <exception cref="MalformedDeliveryException">The body is not one event as JSON.</exception>
    public static Delivery Read(ReadOnlySpan<byte> body)
    {
        var sent = Parse(body);
        if (string.IsNullOrEmpty(sent.Type))
            throw new MalformedDeliveryException("The body has no 'type'.");
        if (sent.Type.Any(char.IsControl))
            throw new MalformedDeliveryException("The body's 'type' contains a control character.");
        if (sent.Type.StartsWith(UserPrefix, StringComparison.Ordinal))
            return new Delivery(sent.RealmName, UserEventOf(sent), null);
        return new Delivery(sent.RealmName, null, sent.Type.StartsWith(AdminPrefix, StringComparison.Ordinal) ? AdminEventOf(sent) : null);
    }

    private static UserEvent UserEventOf(PhaseTwoBody sent) =>
        new(Type: sent.Type![UserPrefix.Length..], UserId: sent.AuthDetails?.UserId, Error: sent.Error);

    private static AdminEvent AdminEventOf(PhaseTwoBody sent)
    {
        var type = sent.Type![AdminPrefix.Length..];
        var operation = type.LastIndexOf('-');
        return new AdminEvent(
            OperationType: type[(operation + 1)..],
            ResourceType: type[..Math.Max(operation, 0)],
            ResourcePath: sent.ResourcePath,
            Error: sent.Error);
    }

    private static PhaseTwoBody Parse(ReadOnlySpan<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, PhaseTwoJson.Default.PhaseTwoBody)
                ?? throw new MalformedDeliveryException("The body is null and not a JSON object.");
        }
        catch (JsonException exception)
        {
            throw new MalformedDeliveryException(Explain(exception));
        }
    }

    private static string Explain(JsonException exception)
    {
        var place = $"(line {exception.LineNumber + 1}, byte {exception.BytePositionInLine})";
        return exception.Path is null or "$"
            ? $"The body is not one JSON object {place}."
            : $"The body is malformed at {exception.Path} {place}.";
    }
}

/// <summary>
/// The members of a body that the bridge reads. authDetails is the user of a user event, and the acting administrator of an admin event.
/// </summary>
internal sealed record PhaseTwoBody(
    string? Type, string? RealmName, string? Error, string? ResourcePath, PhaseTwoAuthDetails? AuthDetails);

internal sealed record PhaseTwoAuthDetails(string? UserId);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(PhaseTwoBody))]
internal sealed partial class PhaseTwoJson : JsonSerializerContext;
