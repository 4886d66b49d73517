using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Keycloak.Servers;

namespace KeycloakCreditBridge.Sandbox.Keycloak.Admin;

/// <summary>Groups, roles and attributes of a realm's users. Failures are those of <see cref="KeycloakAdmin"/>.</summary>
internal sealed class RealmAssignments(IKeycloakServer server, string realm) : IDisposable
{
    private readonly AdministratorClient _client = new(server.Url, server.AdminUser, server.AdminPassword, TimeProvider.System);

    /// <summary>Creates a group and returns its id.</summary>
    /// <param name="name">Its name, without its parents' names.</param>
    /// <param name="token">Cancels the call.</param>
    /// <param name="parent">Id of its parent group.</param>
    public Task<string> AddGroupAsync(string name, CancellationToken token, string? parent = null) =>
        SendAsync(HttpMethod.Post, parent is null ? "groups" : $"groups/{parent}/children", new JsonObject { ["name"] = name }, token);

    public Task JoinGroupAsync(string userId, string group, CancellationToken token) =>
        SendAsync(HttpMethod.Put, $"users/{userId}/groups/{group}", null, token);

    public Task LeaveGroupAsync(string userId, string group, CancellationToken token) =>
        SendAsync(HttpMethod.Delete, $"users/{userId}/groups/{group}", null, token);

    /// <summary>Creates a realm role that includes the roles <paramref name="included"/>.</summary>
    public async Task AddRoleAsync(string name, CancellationToken token, params string[] included)
    {
        await SendAsync(HttpMethod.Post, "roles", new JsonObject { ["name"] = name }, token);
        foreach (var other in included)
            await SendAsync(HttpMethod.Post, $"roles/{name}/composites", await RoleAsync(other, token), token);
    }

    public async Task AssignRoleAsync(string userId, string role, CancellationToken token) =>
        await SendAsync(HttpMethod.Post, $"users/{userId}/role-mappings/realm", await RoleAsync(role, token), token);

    public async Task UnassignRoleAsync(string userId, string role, CancellationToken token) =>
        await SendAsync(HttpMethod.Delete, $"users/{userId}/role-mappings/realm", await RoleAsync(role, token), token);

    public async Task AssignRoleToGroupAsync(string group, string role, CancellationToken token) =>
        await SendAsync(HttpMethod.Post, $"groups/{group}/role-mappings/realm", await RoleAsync(role, token), token);

    /// <summary>Adds an attribute to the user profile, or replaces it.</summary>
    /// <param name="name">The attribute's name.</param>
    /// <param name="token">Cancels the call.</param>
    /// <param name="editors">The roles that may edit it: admin, user.</param>
    public Task DeclareAttributeAsync(string name, CancellationToken token, params string[] editors) => ChangeProfileAsync(
        profile =>
        {
            var attributes = profile["attributes"]!.AsArray();
            attributes.RemoveAll(attribute => (string?)attribute!["name"] == name);
            attributes.Add(new JsonObject
            {
                ["name"] = name,
                ["permissions"] = new JsonObject
                {
                    ["view"] = new JsonArray("admin"),
                    ["edit"] = new JsonArray([.. editors.Select(editor => JsonValue.Create(editor))]),
                },
            });
        },
        token);

    /// <summary>Sets the policy for attributes that the user profile does not declare; null forbids them.</summary>
    public Task AllowUnmanagedAttributesAsync(string? policy, CancellationToken token) => ChangeProfileAsync(
        profile =>
        {
            profile.Remove("unmanagedAttributePolicy");
            if (policy is not null)
                profile["unmanagedAttributePolicy"] = policy;
        },
        token);

    public void Dispose() => _client.Dispose();

    private async Task ChangeProfileAsync(Action<JsonObject> change, CancellationToken token)
    {
        var profile = (await _client.SendAsync(HttpMethod.Get, Path("users/profile"), null, token)).Body!.AsObject();
        change(profile);
        await SendAsync(HttpMethod.Put, "users/profile", profile, token);
    }

    private async Task<JsonArray> RoleAsync(string name, CancellationToken token) =>
        new((await _client.SendAsync(HttpMethod.Get, Path($"roles/{name}"), null, token)).Body);

    private async Task<string> SendAsync(HttpMethod method, string path, JsonNode? body, CancellationToken token) =>
        (await _client.SendAsync(method, Path(path), body, token)).CreatedId;

    private string Path(string rest) => $"admin/realms/{realm}/{rest}";
}
