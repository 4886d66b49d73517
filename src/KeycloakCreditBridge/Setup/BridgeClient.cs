using System.Text.Json.Nodes;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Setup;

/// <summary>The bridge's client in one realm, its service account and that account's roles.</summary>
internal sealed class BridgeClient(AdminSession session, KeycloakOptions options)
{
    private const string ViewClients = "view-clients";
    private const string ManageClients = "manage-clients";
    private const string ViewUsers = "view-users";
    private const string ManageUsers = "manage-users";

    private string Realm => session.Realm;

    private string ClientId => options.ClientIdOf(Realm);

    public string Label => $"client {ClientId} in realm {Realm}";

    /// <summary>What setup could not compare, as the administrator may not see it; null when all was compared.</summary>
    public string? Unseen(JsonObject client) => SecretMask.Covers((string?)client["secret"])
        ? $"Keycloak masks the secret of {Label} for this administrator, so setup did not compare it with " +
            $"{options.ClientSecretKeyOf(Realm)}: "
            + $"the role {ManageClients} shows it"
        : null;

    /// <summary>The client as Keycloak has it, null when there is none.</summary>
    public async Task<JsonObject?> FindAsync(CancellationToken cancellationToken)
    {
        var found = await session.GetAsync($"clients?clientId={Uri.EscapeDataString(ClientId)}", ViewClients, cancellationToken);
        return (found as JsonArray ?? []).OfType<JsonObject>().FirstOrDefault(client => (string?)client["clientId"] == ClientId);
    }

    public Task CreateAsync(SetupRecord record, CancellationToken cancellationToken) =>
        session.SendAsync(HttpMethod.Post, "clients", ManageClients, new JsonObject
    {
        ["clientId"] = ClientId,
        ["name"] = "Keycloak Credit Bridge",
        ["secret"] = options.ClientSecretOf(Realm),
        ["enabled"] = true,
        ["publicClient"] = false,
        ["serviceAccountsEnabled"] = true,
        ["standardFlowEnabled"] = false,
        ["directAccessGrantsEnabled"] = false,
        ["fullScopeAllowed"] = true,
        ["attributes"] = new JsonObject { [SetupRecord.Attribute] = record.Text },
    }, cancellationToken);

    /// <summary>Writes the record, and what else is given, into an existing client.</summary>
    /// <param name="record">Null removes the record.</param>
    public async Task UpdateAsync(SetupRecord? record, JsonObject? changes, CancellationToken cancellationToken)
    {
        var client = await FindAsync(cancellationToken) ?? throw Deleted();
        // Written back, the mask would become the secret.
        if (SecretMask.Covers((string?)client["secret"]))
            client.Remove("secret");
        // The whole client: before 26.1 a write that does not name the service account makes a new one, which has no roles.
        foreach (var (field, value) in changes ?? [])
            client[field] = value?.DeepClone();
        var attributes = client["attributes"]?.DeepClone() as JsonObject ?? [];
        // An empty text removes the attribute.
        attributes[SetupRecord.Attribute] = record?.Text ?? "";
        client["attributes"] = attributes;
        await session.SendAsync(HttpMethod.Put, $"clients/{(string?)client["id"]}", ManageClients, client, cancellationToken);
    }

    public async Task DeleteAsync(CancellationToken cancellationToken)
    {
        if (await FindAsync(cancellationToken) is { } client)
            await session.SendAsync(HttpMethod.Delete, $"clients/{(string?)client["id"]}", ManageClients, null, cancellationToken);
    }

    /// <summary>What must change for the bridge to sign in with this client; null when nothing has to.</summary>
    /// <exception cref="ConfigurationException">Setup did not create it, and it would have to change.</exception>
    public JsonObject? Repair(JsonObject client, bool isOurs)
    {
        var wrong = Deviations(client).ToList();
        if (wrong.Count == 0)
            return null;
        if (isOurs)
            return new JsonObject(wrong.Select(item => KeyValuePair.Create(item.Field, item.Wanted)));
        var key = options.Realm(Realm).ClientId is { Length: > 0 }
            ? $"{options.RealmKeyOf(Realm)}:ClientId"
            : $"{KeycloakOptions.Section}:ClientId";
        throw new ConfigurationException([.. wrong.Select(item =>
            $"Realm '{Realm}' has a client '{ClientId}' already, which setup did not create, and {item.Says}: {item.Remedy}, or choose " +
            $"another {key}.")]);
    }

    /// <summary>Roles of realm-management that the client's service account has directly.</summary>
    public async Task<IReadOnlyList<string>> RolesAsync(JsonObject client, CancellationToken cancellationToken)
    {
        var mapped = await session.GetAsync(await MappingsAsync(client, cancellationToken), ViewUsers, cancellationToken);
        return [.. (mapped as JsonArray ?? []).Select(role => (string?)role?["name"] ?? "")];
    }

    /// <summary>Adds (POST) or removes (DELETE) roles of realm-management.</summary>
    public async Task MapRolesAsync(HttpMethod method, IReadOnlyCollection<string> roles, CancellationToken cancellationToken)
    {
        var client = await FindAsync(cancellationToken) ?? throw Deleted();
        var management = await ManagementIdAsync(cancellationToken);
        var body = new JsonArray();
        foreach (var role in roles)
            body.Add(await session.GetAsync($"clients/{management}/roles/{role}", ViewClients, cancellationToken));
        await session.SendAsync(method, await MappingsAsync(client, cancellationToken), ManageUsers, body, cancellationToken);
    }

    private IEnumerable<(string Field, JsonNode? Wanted, string Says, string Remedy)> Deviations(JsonObject client)
    {
        if ((bool?)client["publicClient"] is true)
            yield return ("publicClient", JsonValue.Create(false), "it is public", "switch its client authentication on");
        if ((bool?)client["serviceAccountsEnabled"] is not true)
            yield return (
                "serviceAccountsEnabled", JsonValue.Create(true), "it has no service account", "switch its service accounts roles on");
        if ((bool?)client["enabled"] is false)
            yield return ("enabled", JsonValue.Create(true), "it is disabled", "enable it");
        if ((bool?)client["fullScopeAllowed"] is false)
            yield return ("fullScopeAllowed", JsonValue.Create(true), "its tokens do not have full scope", "allow it full scope");
        var secret = (string?)client["secret"];
        if ((bool?)client["publicClient"] is not true && secret != options.ClientSecretOf(Realm) && !SecretMask.Covers(secret))
            yield return (
                "secret", JsonValue.Create(options.ClientSecretOf(Realm)), $"{options.ClientSecretKeyOf(Realm)} is not its secret",
                "set that to what Keycloak shows at the client's credentials");
    }

    private async Task<string> MappingsAsync(JsonObject client, CancellationToken cancellationToken)
    {
        var account = await session.GetAsync($"clients/{(string?)client["id"]}/service-account-user", ViewClients, cancellationToken);
        return $"users/{(string?)account["id"]}/role-mappings/clients/{await ManagementIdAsync(cancellationToken)}";
    }

    private async Task<string> ManagementIdAsync(CancellationToken cancellationToken)
    {
        var name = RealmRequirements.ManagementClientOf(Realm);
        var found = await session.GetAsync($"clients?clientId={name}", ViewClients, cancellationToken);
        return (string?)(found as JsonArray)?.FirstOrDefault()?["id"]
            ?? throw new ConfigurationException(
                [$"Realm '{Realm}' does not show its client {name} to the administrator: it takes the role {ViewClients}."]);
    }

    private ConfigurationException Deleted() => new([$"The {Label} was deleted since the plan was made: run the same command again."]);
}
