using System.Text.Json.Nodes;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Setup.Clients;

/// <summary>The service account of the bridge's client in one realm, and its roles of realm-management.</summary>
internal sealed class ServiceAccount(AdminSession session, BridgeClient client, string clientId)
{
    private const string ViewClients = "view-clients";
    private const string ManageClients = "manage-clients";
    private const string ViewUsers = "view-users";
    private const string ManageUsers = "manage-users";

    /// <summary>Keycloak gives the account this name, and none other.</summary>
    private string Name => $"service-account-{clientId.ToLowerInvariant()}";

    /// <summary>Demands that no person has the name of the account that is to be made.</summary>
    /// <exception cref="ConfigurationException">A person has it.</exception>
    public async Task CheckNameAsync(CancellationToken cancellationToken)
    {
        // Quotes ask for the whole name, and show persons only.
        var found = await session.GetAsync($"users?search={Uri.EscapeDataString($"\"{Name}\"")}", ViewUsers, cancellationToken);
        if ((found as JsonArray ?? []).OfType<JsonObject>().Any(user => (string?)user["username"] == Name))
            throw new ConfigurationException([
                $"Realm '{session.Realm}' has a user named '{Name}', and Keycloak needs that name for the service account of the client " +
                $"'{clientId}': rename or delete the user in Keycloak, or choose another {client.ClientIdKey}."]);
    }

    /// <summary>Roles that the account has directly.</summary>
    public async Task<IReadOnlyList<string>> RolesAsync(JsonObject of, CancellationToken cancellationToken) =>
        await NamesAsync(await MappingsAsync(of, cancellationToken), ViewUsers, cancellationToken);

    /// <summary>Adds (POST) or removes (DELETE) roles.</summary>
    public async Task MapRolesAsync(HttpMethod method, IReadOnlyCollection<string> roles, CancellationToken cancellationToken)
    {
        var of = await client.ReadAsync(cancellationToken);
        await session.SendAsync(
            method, await MappingsAsync(of, cancellationToken), ManageUsers, await RolesAsync(roles, cancellationToken), cancellationToken);
    }

    /// <summary>Roles that tokens of the client would lack: those beyond its scope, where that is not full.</summary>
    public async Task<IReadOnlyList<string>> BeyondScopeAsync(JsonObject of, CancellationToken cancellationToken)
    {
        if ((bool?)of["fullScopeAllowed"] is not false)
            return [];
        var inScope = await NamesAsync(await ScopeAsync(of, cancellationToken), ViewClients, cancellationToken);
        return [.. RealmRequirements.Roles.Except(inScope, StringComparer.Ordinal)];
    }

    /// <summary>Adds (POST) roles to the client's scope, or removes (DELETE) them.</summary>
    public async Task MapScopeAsync(HttpMethod method, IReadOnlyCollection<string> roles, CancellationToken cancellationToken)
    {
        var of = await client.ReadAsync(cancellationToken);
        await session.SendAsync(
            method, await ScopeAsync(of, cancellationToken), ManageClients, await RolesAsync(roles, cancellationToken), cancellationToken);
    }

    /// <summary>Adds to the scope what a new client lacks in it: a client policy may have made it without full scope.</summary>
    public async Task CompleteScopeAsync(CancellationToken cancellationToken)
    {
        var beyond = await BeyondScopeAsync(await client.ReadAsync(cancellationToken), cancellationToken);
        if (beyond.Count > 0)
            await MapScopeAsync(HttpMethod.Post, beyond, cancellationToken);
    }

    private async Task<IReadOnlyList<string>> NamesAsync(string path, string role, CancellationToken cancellationToken) =>
        [.. (await session.GetAsync(path, role, cancellationToken) as JsonArray ?? []).Select(item => (string?)item?["name"] ?? "")];

    private async Task<JsonArray> RolesAsync(IReadOnlyCollection<string> roles, CancellationToken cancellationToken)
    {
        var management = await ManagementIdAsync(cancellationToken);
        var found = new JsonArray();
        foreach (var role in roles)
            found.Add(await session.GetAsync($"clients/{management}/roles/{role}", ViewClients, cancellationToken));
        return found;
    }

    private async Task<string> MappingsAsync(JsonObject of, CancellationToken cancellationToken)
    {
        var account = await session.GetAsync($"clients/{(string?)of["id"]}/service-account-user", ViewClients, cancellationToken);
        return $"users/{(string?)account["id"]}/role-mappings/clients/{await ManagementIdAsync(cancellationToken)}";
    }

    private async Task<string> ScopeAsync(JsonObject of, CancellationToken cancellationToken) =>
        $"clients/{(string?)of["id"]}/scope-mappings/clients/{await ManagementIdAsync(cancellationToken)}";

    private async Task<string> ManagementIdAsync(CancellationToken cancellationToken)
    {
        var name = RealmRequirements.ManagementClientOf(session.Realm);
        var found = await session.GetAsync($"clients?clientId={name}", ViewClients, cancellationToken);
        return (string?)(found as JsonArray)?.FirstOrDefault()?["id"]
            ?? throw new ConfigurationException(
                [$"Realm '{session.Realm}' does not show its client {name} to the administrator: it takes the role {ViewClients}."]);
    }
}
