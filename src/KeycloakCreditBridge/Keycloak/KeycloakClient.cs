namespace KeycloakCreditBridge.Keycloak;

/// <summary>
/// The part of Keycloak's Admin API that the bridge needs. Every method throws a <see cref="KeycloakException"/> when Keycloak did not
/// answer as asked, after a few tries where trying again makes sense; an answer that came is complete.
/// </summary>
internal sealed class KeycloakClient
{
    /// <summary>The user with attributes, or null when Keycloak says that there is none (which may mean: not committed yet).</summary>
    public Task<KeycloakUser?> FindUserAsync(string realm, string userId, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>A page of the realm's people by user name, without attributes. Only an empty page is surely the end.</summary>
    public Task<IReadOnlyList<KeycloakUser>> ListUsersAsync(string realm, int first, int max, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>People who have exactly this text as user name, e-mail address, first or last name, in any case of letters; without attributes.</summary>
    public Task<IReadOnlyList<KeycloakUser>> SearchUsersAsync(string realm, string text, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>How many people the realm has; service accounts and federated users without import are not counted.</summary>
    public Task<long> CountUsersAsync(string realm, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>
    /// Whether a user name belongs to a person and not to a client's service account. Only names with the prefix service-account- need
    /// to ask Keycloak; every other is a person's.
    /// </summary>
    public Task<bool> IsPersonAsync(string realm, string username, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Stored user events.</summary>
    public Task<IReadOnlyList<UserEvent>> ListUserEventsAsync(string realm, EventQuery query, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Stored admin events.</summary>
    public Task<IReadOnlyList<AdminEvent>> ListAdminEventsAsync(string realm, EventQuery query, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>What the realm stores.</summary>
    public Task<EventsConfig> GetEventsConfigAsync(string realm, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>What the server can do; asked at most once an hour, and again after an answer that did not fit.</summary>
    public Task<ServerCapabilities> GetCapabilitiesAsync(string realm, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Returns when users and events can be read, and otherwise throws what must be mended.</summary>
    public Task CheckAccessAsync(string realm, CancellationToken cancellationToken) => throw new NotImplementedException();
}
