using System.Text.Json.Serialization;

namespace KeycloakCreditBridge.Keycloak.Events;

/// <summary>Something a user did, as Keycloak stored it.</summary>
/// <param name="Id">Absent on servers before 26.2.</param>
/// <param name="Time">Milliseconds since 1970, stamped before the commit that made the event visible.</param>
/// <param name="Type">For example REGISTER; errors end in _ERROR.</param>
/// <param name="UserId">Absent where no user is concerned or known.</param>
/// <param name="ClientId">The client through which it was done.</param>
/// <param name="Error">Only on errors.</param>
/// <param name="Details">What the type adds, for example username and email.</param>
/// <param name="IpAddress">From where it was done, as Keycloak sees it: behind a proxy perhaps the proxy.</param>
internal sealed record UserEvent(
    string? Id = null,
    long Time = 0,
    string Type = "",
    string? UserId = null,
    string? ClientId = null,
    string? Error = null,
    IReadOnlyDictionary<string, string>? Details = null,
    string? IpAddress = null)
{
    /// <summary>What distinguishes this event from others: its id, or a digest of its fields where the server gives none.</summary>
    [JsonIgnore]
    public string Fingerprint => Id ?? EventFingerprint.Of(Time, Details, Type, UserId, ClientId, Error);
}
