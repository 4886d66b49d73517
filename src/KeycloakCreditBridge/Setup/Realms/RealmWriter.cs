using System.Text.Json.Nodes;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Setup.Realms;

/// <summary>Reads a realm and changes some of its fields without changing others.</summary>
internal sealed class RealmWriter(AdminSession session)
{
    private const string ManageRealm = "manage-realm";
    private const string Attributes = "attributes";

    /// <summary>The realm with all its settings.</summary>
    /// <exception cref="ConfigurationException">The administrator may not see them.</exception>
    public async Task<JsonObject> ReadAsync(CancellationToken cancellationToken)
    {
        var realm = await session.GetAsync("", ManageRealm, cancellationToken);
        // An account that may not see a realm's settings is answered 200 with its name alone.
        return realm is JsonObject whole && whole.ContainsKey("eventsEnabled")
            ? whole
            : throw new ConfigurationException([
                $"Realm '{session.Realm}' does not show its event settings to the administrator: it takes the role {ManageRealm} of the " +
                "client "
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

    // Some fields are attributes too, and a write without them resets them to Keycloak's defaults.
    private static JsonObject Fields(JsonObject realm, JsonObject changes)
    {
        var body = changes.DeepClone().AsObject();
        foreach (var (attribute, _) in realm[Attributes] as JsonObject ?? [])
            if (realm[attribute] is { } field && !body.ContainsKey(attribute))
                body[attribute] = field.DeepClone();
        return body;
    }

    // Before 26.1 a write with attributes removes all others, also those shown as fields only. So the whole realm is written; attributes
    // that this adds are removed again.
    private async Task WriteWholeAsync(JsonObject realm, JsonObject changes, JsonObject attributes, CancellationToken cancellationToken)
    {
        var body = realm.DeepClone().AsObject();
        foreach (var (field, value) in changes)
            body[field] = value?.DeepClone();
        // Its password is masked in answers, and stays as it is when left out.
        body.Remove("smtpServer");
        await PutAsync(body, cancellationToken);

        var after = await ReadAsync(cancellationToken);
        string[] made = [
            .. (after[Attributes] as JsonObject ?? []).Select(attribute => attribute.Key).Where(name => !attributes.ContainsKey(name))];
        if (made.Length == 0)
            return;
        foreach (var name in made)
            body.Remove(name);
        await PutAsync(body, cancellationToken);
    }

    private Task PutAsync(JsonObject body, CancellationToken cancellationToken) =>
        session.SendAsync(HttpMethod.Put, "", ManageRealm, body, cancellationToken);
}
