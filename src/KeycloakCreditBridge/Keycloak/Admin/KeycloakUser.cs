namespace KeycloakCreditBridge.Keycloak.Admin;

/// <summary>A user as Keycloak knows it now.</summary>
/// <param name="Id">Opaque text, often but not always a UUID.</param>
/// <param name="Username">Keycloak's user name.</param>
/// <param name="Email">Absent for users without an address.</param>
/// <param name="Enabled">Whether the user may sign in.</param>
/// <param name="EmailVerified">Whether the address was verified.</param>
/// <param name="CreatedTimestamp">Milliseconds since 1970; may be absent, imported or, for federated users without import, made up.</param>
/// <param name="FederationLink">The federation the user was imported from.</param>
/// <param name="Attributes">Only in the full representation, and only there when the user has any.</param>
internal sealed record KeycloakUser(
    string Id,
    string? Username = null,
    string? Email = null,
    bool Enabled = true,
    bool EmailVerified = false,
    long? CreatedTimestamp = null,
    string? FederationLink = null,
    IReadOnlyDictionary<string, IReadOnlyList<string>>? Attributes = null,
    string? FirstName = null,
    string? LastName = null);

/// <summary>A user's link to an identity provider.</summary>
/// <param name="IdentityProvider">The provider's alias.</param>
/// <param name="UserId">The user's id there; null where it is not told.</param>
internal sealed record FederatedIdentity(string IdentityProvider, string? UserId = null);

/// <summary>A group that a user is a member of.</summary>
/// <param name="Path">Names of the groups above it and its own, each behind a slash.</param>
internal sealed record UserGroup(string Path);

/// <summary>A credential of a user.</summary>
/// <param name="Type">Such as `password`, `otp` or `webauthn`.</param>
internal sealed record StoredCredential(string? Type);

/// <summary>An organisation of a user.</summary>
/// <param name="Alias">Its unchanging name.</param>
internal sealed record UserOrganization(string Name, string? Alias = null);

/// <summary>A role of the realm that a user has.</summary>
internal sealed record RealmRole(string Name);
