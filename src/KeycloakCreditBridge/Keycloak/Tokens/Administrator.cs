namespace KeycloakCreditBridge.Keycloak.Tokens;

/// <summary>The administrator of one command; never stored.</summary>
/// <param name="Realm">Where the administrator signs in; one of the realm master may administer all others.</param>
/// <param name="Name">A user's name, or a client's id.</param>
/// <param name="IsClient">Whether it is a client with a service account.</param>
/// <param name="Secret">The user's password, or the client's secret.</param>
internal sealed record Administrator(string Realm, string Name, bool IsClient, string Secret)
{
    /// <summary>A record would print the secret.</summary>
    public override string ToString() => $"{(IsClient ? "client" : "user")} '{Name}' of realm '{Realm}'";

    /// <summary>The form that asks for a token.</summary>
    public IEnumerable<KeyValuePair<string, string>> TokenForm => IsClient
        ? [new("grant_type", "client_credentials"), new("client_id", Name), new("client_secret", Secret)]
        : [new("grant_type", "password"), new("client_id", "admin-cli"), new("username", Name), new("password", Secret)];
}
