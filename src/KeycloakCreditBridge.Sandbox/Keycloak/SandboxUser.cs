namespace KeycloakCreditBridge.Sandbox.Keycloak;

/// <summary>Somebody who can register, be created by an administrator or sign in.</summary>
internal sealed record SandboxUser(
    string Username, string Email, string Password = "A-long-passphrase-1", string FirstName = "Ada", string LastName = "Lovelace");
