namespace KeycloakCreditBridge.Sandbox.Tour;

/// <param name="Once">End after the tour.</param>
/// <param name="Emulator">Use the emulator even if a real Keycloak is at hand.</param>
/// <param name="Verbose">Show the bridge's own log.</param>
/// <param name="Users">How many users are added after the tour.</param>
internal sealed record SandboxOptions(bool Once, bool Emulator, bool Verbose, int Users = 0);
