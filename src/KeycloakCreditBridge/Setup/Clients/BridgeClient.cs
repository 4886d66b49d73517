using System.Text.Json.Nodes;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.ClientKeys;

namespace KeycloakCreditBridge.Setup.Clients;

/// <summary>The bridge's client in one realm.</summary>
/// <param name="session">The realm, as an administrator.</param>
/// <param name="options">Which client it is.</param>
/// <param name="key">The key that it signs in with; null when it signs in with its secret.</param>
internal sealed class BridgeClient(AdminSession session, KeycloakOptions options, ClientKey? key)
{
    private const string ViewClients = "view-clients";
    private const string ManageClients = "manage-clients";

    private readonly ClientPolicies _policies = new(session);

    private string Realm => session.Realm;

    private string ClientId => options.ClientIdOf(Realm);

    private string Authenticator => key is null ? "client-secret" : "client-jwt";

    public string Label => $"client {ClientId} in realm {Realm}";

    /// <summary>What setup could not compare, as the administrator may not see it; null when all was compared.</summary>
    public string? Unseen(JsonObject client) => key is null && SecretMask.Covers((string?)client["secret"])
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

    /// <summary>The client as Keycloak has it.</summary>
    /// <exception cref="ConfigurationException">It was deleted meanwhile.</exception>
    public async Task<JsonObject> ReadAsync(CancellationToken cancellationToken) => await FindAsync(cancellationToken)
        ?? throw new ConfigurationException([$"The {Label} was deleted since the plan was made: run the same command again."]);

    public Task CreateAsync(SetupRecord record, CancellationToken cancellationToken)
    {
        var body = new JsonObject
        {
            ["clientId"] = ClientId,
            ["name"] = "Keycloak Credit Bridge",
            ["clientAuthenticatorType"] = Authenticator,
            ["enabled"] = true,
            ["publicClient"] = false,
            ["serviceAccountsEnabled"] = true,
            ["standardFlowEnabled"] = false,
            ["directAccessGrantsEnabled"] = false,
            ["fullScopeAllowed"] = true,
            ["attributes"] = key is null ? new JsonObject() : ClientKeyAttributes.With(null, key, keepsAll: false),
        };
        body["attributes"]![SetupRecord.Attribute] = record.Text;
        if (key is null)
            body["secret"] = options.ClientSecretOf(Realm);
        return WriteAsync(HttpMethod.Post, "clients", body, cancellationToken);
    }

    /// <summary>Writes the record, and what else is given, into an existing client.</summary>
    /// <param name="record">Null removes the record.</param>
    /// <param name="changes">Fields to replace; of attributes only those that it names. Null for none.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public async Task UpdateAsync(SetupRecord? record, JsonObject? changes, CancellationToken cancellationToken)
    {
        var client = await ReadAsync(cancellationToken);
        // Written back, the mask would become the secret.
        if (SecretMask.Covers((string?)client["secret"]))
            client.Remove("secret");
        var attributes = client["attributes"]?.DeepClone() as JsonObject ?? [];
        // The whole client: before 26.1 a write that does not name the service account makes a new one, which has no roles.
        foreach (var (field, value) in changes ?? [])
        {
            if (field == "attributes")
                foreach (var (attribute, text) in value!.AsObject())
                    attributes[attribute] = text?.DeepClone();
            else
                client[field] = value?.DeepClone();
        }

        // An empty text removes the attribute.
        attributes[SetupRecord.Attribute] = record?.Text ?? "";
        client["attributes"] = attributes;
        await WriteAsync(HttpMethod.Put, $"clients/{(string?)client["id"]}", client, cancellationToken);
    }

    public async Task DeleteAsync(CancellationToken cancellationToken)
    {
        if (await FindAsync(cancellationToken) is { } client)
            await session.SendAsync(HttpMethod.Delete, $"clients/{(string?)client["id"]}", ManageClients, null, cancellationToken);
    }

    /// <summary>What must change for the bridge to sign in with this client; null when nothing has to.</summary>
    /// <exception cref="ConfigurationException">Setup did not create it, and it would have to change.</exception>
    public async Task<JsonObject?> RepairAsync(JsonObject client, SetupRecord record, CancellationToken cancellationToken)
    {
        var wrong = Deviations(client).ToList();
        if (wrong.Count > 0 && !record.CreatedClient)
            throw new ConfigurationException([.. wrong.Select(item =>
                $"Realm '{Realm}' has a client '{ClientId}' already, which setup did not create, and {item.Says}: {item.Remedy}, or " +
                $"choose another {ClientIdKey}.")]);
        var changes = new JsonObject(wrong.Select(item => KeyValuePair.Create(item.Field, item.Wanted)));
        if (key is not null && !ClientKeyAttributes.Accepts(client, key))
        {
            if (!record.CreatedClient && !ClientKeyAttributes.CanAdd(client, key))
                throw new ConfigurationException([
                    $"Realm '{Realm}' has a client '{ClientId}' already, which setup did not create, and its keys do not come from a " +
                    $"list in Keycloak, or its algorithm is not {key.Algorithm}: add the public key of " +
                    $"{KeycloakOptions.Section}:PrivateKeyFile where its keys come from, or choose another {ClientIdKey}."]);
            changes["attributes"] = ClientKeyAttributes.With(client, key, keepsAll: !record.CreatedClient);
            record.Keys = [.. record.Keys.Union([key.Id], StringComparer.Ordinal)];
        }

        // Policies made it so, and would refuse the repair or undo it.
        if (key is null && wrong.Exists(item => item.Field == "clientAuthenticatorType")
            && await PoliciesAsync(cancellationToken) is { Length: > 0 } policies)
            throw new ConfigurationException([
                $"The {Label} authenticates by '{(string?)client["clientAuthenticatorType"]}' and not by its secret." +
                $"{policies}{KeyAdvice}"]);
        return changes.Count == 0 ? null : changes;
    }

    /// <summary>Removes keys that setup added to a client of others.</summary>
    public async Task ForgetAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
    {
        var client = await ReadAsync(cancellationToken);
        var changes = keys.Count == 0 ? null : new JsonObject { ["attributes"] = ClientKeyAttributes.Without(client, keys) };
        await UpdateAsync(null, changes, cancellationToken);
    }

    /// <summary>The realm's client policies as a sentence; empty when none is enabled.</summary>
    public Task<string> PoliciesAsync(CancellationToken cancellationToken) => _policies.SentenceAsync(cancellationToken);

    /// <summary>The key that names the client.</summary>
    public string ClientIdKey => options.Realm(Realm).ClientId is { Length: > 0 }
        ? $"{options.RealmKeyOf(Realm)}:ClientId"
        : $"{KeycloakOptions.Section}:ClientId";

    private string KeyAdvice => key is null
        ? $" Where a policy refuses secrets, set {KeycloakOptions.Section}:ClientAuthentication to PrivateKeyJwt."
        : "";

    private IEnumerable<(string Field, JsonNode? Wanted, string Says, string Remedy)> Deviations(JsonObject client)
    {
        var isPublic = (bool?)client["publicClient"] is true;
        if (isPublic)
            yield return ("publicClient", JsonValue.Create(false), "it is public", "switch its client authentication on");
        if ((bool?)client["serviceAccountsEnabled"] is not true)
            yield return (
                "serviceAccountsEnabled", JsonValue.Create(true), "it has no service account", "switch its service accounts roles on");
        if ((bool?)client["enabled"] is false)
            yield return ("enabled", JsonValue.Create(true), "it is disabled", "enable it");
        if (isPublic)
            yield break;
        if ((string?)client["clientAuthenticatorType"] is { } authenticator && authenticator != Authenticator)
            yield return (
                "clientAuthenticatorType", JsonValue.Create(Authenticator), $"it authenticates by '{authenticator}'",
                $"choose '{Authenticator}' at its credentials, or another {KeycloakOptions.Section}:ClientAuthentication");
        var secret = (string?)client["secret"];
        if (key is null && secret != options.ClientSecretOf(Realm) && !SecretMask.Covers(secret))
            yield return (
                "secret", JsonValue.Create(options.ClientSecretOf(Realm)), $"{options.ClientSecretKeyOf(Realm)} is not its secret",
                "set that to what Keycloak shows at the client's credentials");
    }

    private async Task WriteAsync(HttpMethod method, string path, JsonObject body, CancellationToken cancellationToken)
    {
        try
        {
            await session.SendAsync(method, path, ManageClients, body, cancellationToken);
        }
        catch (KeycloakProtocolException exception)
        {
            var policies = await PoliciesAsync(cancellationToken);
            if (policies.Length == 0)
                throw;
            throw new ConfigurationException([$"{exception.Message}{policies}{KeyAdvice}"]);
        }
    }
}
