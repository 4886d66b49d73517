namespace KeycloakCreditBridge.Keycloak.Admin;

/// <summary>What a server can do, found by asking it and never by its version.</summary>
/// <param name="OrderedEvents">Events have ids and are found by millisecond in either order; without it, by day and newest first.</param>
/// <param name="CreatedWindows">Users can be listed and counted by when they were created.</param>
internal sealed record ServerCapabilities(bool OrderedEvents, bool CreatedWindows);
