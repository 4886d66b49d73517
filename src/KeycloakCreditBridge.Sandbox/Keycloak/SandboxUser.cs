namespace KeycloakCreditBridge.Sandbox.Keycloak;

/// <summary>The data of a user to register, create or sign in.</summary>
internal sealed record SandboxUser(
    string Username, string Email, string Password = "A-long-passphrase-1", string FirstName = "Ada", string LastName = "Lovelace");
