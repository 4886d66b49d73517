namespace KeycloakCreditBridge.Sandbox.Emulator.Events;

/// <summary>An action of a user, as GET events shows it. Times are milliseconds since 1970.</summary>
internal sealed record UserEvent(
    string? Id,
    long Time,
    string Type,
    string RealmId,
    string? ClientId,
    string? UserId,
    string? SessionId,
    string? IpAddress,
    string? Error,
    IReadOnlyDictionary<string, string>? Details);

/// <summary>An action of an administrator, as GET admin-events shows it.</summary>
/// <param name="Representation">The request's body as JSON text, without secrets.</param>
internal sealed record AdminEvent(
    string? Id,
    long Time,
    string RealmId,
    AuthDetails AuthDetails,
    string OperationType,
    string ResourceType,
    string? ResourcePath,
    string? Representation,
    IReadOnlyDictionary<string, string>? Details);

/// <summary>The actor, by internal ids.</summary>
internal sealed record AuthDetails(string RealmId, string? ClientId, string? UserId, string? IpAddress);
