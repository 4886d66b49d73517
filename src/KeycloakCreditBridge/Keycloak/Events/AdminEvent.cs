using System.Text.Json.Serialization;

namespace KeycloakCreditBridge.Keycloak.Events;

/// <summary>Something an administrator or a management client did, as Keycloak stored it.</summary>
/// <param name="Id">Absent on servers before 26.2.</param>
/// <param name="Time">Milliseconds since 1970, stamped before the commit that made the event visible.</param>
/// <param name="OperationType">CREATE, UPDATE, DELETE or ACTION.</param>
/// <param name="ResourceType">For example USER; partial import says REALM for its users.</param>
/// <param name="ResourcePath">For example users/{id}; some events have none.</param>
/// <param name="Error">Only where the operation failed.</param>
/// <param name="Details">What some operations add.</param>
internal sealed record AdminEvent(
    string? Id = null,
    long Time = 0,
    string OperationType = "",
    string? ResourceType = null,
    string? ResourcePath = null,
    string? Error = null,
    IReadOnlyDictionary<string, string>? Details = null)
{
    /// <summary>What distinguishes this event from others: its id, or a digest of its fields where the server gives none.</summary>
    [JsonIgnore]
    public string Fingerprint => Id ?? EventFingerprint.Of(Time, Details, OperationType, ResourceType, ResourcePath, Error);
}
