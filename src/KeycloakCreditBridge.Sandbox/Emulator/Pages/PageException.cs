namespace KeycloakCreditBridge.Sandbox.Emulator.Pages;

/// <summary>Ends a browser's request with Keycloak's error page.</summary>
internal sealed class PageException(string message) : InvalidOperationException(message);
