using System.Text.Json.Nodes;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Setup;

/// <summary>Reads a realm and changes fields of it so that nothing else of it changes.</summary>
internal sealed class RealmWriter(AdminSession desk)
{
    private const string ManageRealm = "manage-realm";
    private const string Attributes = "attributes";

    /// <summary>The realm with all its settings.</summary>
    /// <exception cref="ConfigurationException">The administrator may not see them.</exception>
    public async Task<JsonObject> ReadAsync(CancellationToken cancellationToken)
    {
        var realm = await desk.GetAsync("", ManageRealm, cancellationToken);
        // Whoever may not see a realm's settings is shown its name alone, with a status that says all is well.
        return realm is JsonObject whole && whole.ContainsKey("eventsEnabled")
            ? whole
            : throw new ConfigurationException([
                $"Realm '{desk.Realm}' does not show its event settings to the administrator: it takes the role {ManageRealm} of the client "
                + "realm-management, or an administrator of the realm master with --admin-realm master."]);
    }

    /// <summary>Writes these fields; attributes are given as all that the realm is to have.</summary>
    /// <exception cref="ConfigurationException">The administrator may not.</exception>
    public async Task WriteAsync(JsonObject changes, CancellationToken cancellationToken)
    {
        var realm = await ReadAsync(cancellationToken);
        if (changes[Attributes] is JsonObject attributes)
            await WriteWholeAsync(realm, changes, attributes, cancellationToken);
        else
            await PutAsync(Fields(realm, changes), cancellationToken);
    }

    // Some fields stand among the attributes as well, and a write that leaves them out puts them back to Keycloak's defaults.
    private static JsonObject Fields(JsonObject realm, JsonObject changes)
    {
        var body = changes.DeepClone().AsObject();
        foreach (var (attribute, _) in realm[Attributes] as JsonObject ?? [])
            if (realm[attribute] is { } field && !body.ContainsKey(attribute))
                body[attribute] = field.DeepClone();
        return body;
    }

    // Before 26.1 a write that names attributes takes all others away, those among them that are shown as fields of the realm only. So
    // the whole realm is written; what that made an attribute that was none is taken away again.
    private async Task WriteWholeAsync(JsonObject realm, JsonObject changes, JsonObject attributes, CancellationToken cancellationToken)
    {
        var body = realm.DeepClone().AsObject();
        foreach (var (field, value) in changes)
            body[field] = value?.DeepClone();
        // Its password is shown masked, and left out it stays as it is.
        body.Remove("smtpServer");
        await PutAsync(body, cancellationToken);

        var after = await ReadAsync(cancellationToken);
        string[] made = [.. (after[Attributes] as JsonObject ?? []).Select(attribute => attribute.Key).Where(name => !attributes.ContainsKey(name))];
        if (made.Length == 0)
            return;
        foreach (var name in made)
            body.Remove(name);
        await PutAsync(body, cancellationToken);
    }

    private Task PutAsync(JsonObject body, CancellationToken cancellationToken) =>
        desk.SendAsync(HttpMethod.Put, "", ManageRealm, body, cancellationToken);
}
