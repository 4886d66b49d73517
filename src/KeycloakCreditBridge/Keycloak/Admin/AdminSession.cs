using System.Text.Json.Nodes;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Keycloak.Tokens;

namespace KeycloakCreditBridge.Keycloak.Admin;

/// <summary>
/// Reads and changes one realm as JSON with the token of an administrator or of the bridge's client. A <see cref="ConfigurationException"/>
/// names what the administrator may not do; Keycloak out of reach is a <see cref="KeycloakUnavailableException"/>.
/// </summary>
internal sealed class AdminSession(AdminTransport transport, string realm, IAdminAccount account)
{
    public string Realm => realm;

    /// <summary>The JSON below the realm's address in the Admin API.</summary>
    /// <param name="path">Escaped; empty for the realm itself.</param>
    /// <param name="role">The role of realm-management that it needs.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public Task<JsonNode> GetAsync(string path, string role, CancellationToken cancellationToken) =>
        AskAsync(To(path, role), response => response.ReadJson()!, cancellationToken);

    /// <summary>Creates, replaces or deletes what is below the realm's address in the Admin API.</summary>
    public Task SendAsync(HttpMethod method, string path, string role, JsonNode? body, CancellationToken cancellationToken) =>
        AskAsync(To(path, role) with { Method = method, Body = body }, response => response.ReadJson(), cancellationToken);

    /// <summary>What <paramref name="understand"/> makes of the answer.</summary>
    public Task<T> AskAsync<T>(AdminRequest request, Func<AdminResponse, T> understand, CancellationToken cancellationToken) =>
        transport.AskAsync(realm, request, account, understand, cancellationToken);

    private static AdminRequest To(string path, string role)
    {
        var query = path.IndexOf('?', StringComparison.Ordinal);
        return query < 0 ? new AdminRequest(path, role) : new AdminRequest(path[..query], role, path[query..]);
    }
}
