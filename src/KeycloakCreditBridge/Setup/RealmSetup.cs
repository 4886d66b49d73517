using System.Text.Json.Nodes;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Setup;

/// <summary>What setup is asked for.</summary>
/// <param name="Retention">How long events are kept at least.</param>
/// <param name="BridgeUrl">The address at which Keycloak reaches the bridge; null when it is not known.</param>
/// <param name="Webhooks">Whether a webhook is wanted where the server can have one.</param>
/// <param name="PollInterval">How soon polling alone finds somebody; null when the bridge does not poll.</param>
internal sealed record SetupOptions(TimeSpan Retention, Uri? BridgeUrl, bool Webhooks, TimeSpan? PollInterval);

/// <summary>Plans what gives one realm all that the bridge needs, or what takes it back. Planning changes nothing.</summary>
internal sealed class RealmSetup(AdminSession desk, KeycloakOptions options)
{
    private readonly BridgeClient _client = new(desk, options);

    /// <exception cref="ConfigurationException">The administrator may not, or what is there is not ours to change.</exception>
    /// <exception cref="KeycloakException">Keycloak did not answer as asked.</exception>
    public async Task<RealmPlan> PlanAsync(SetupOptions wish, CancellationToken cancellationToken)
    {
        var realm = await new RealmWriter(desk).ReadAsync(cancellationToken);
        var client = await _client.FindAsync(cancellationToken);
        var before = SetupRecord.Of(client);
        var record = before ?? new SetupRecord { CreatedClient = client is null };
        var (written, notes) = (before?.Text, new List<string>());

        var repair = client is null ? null : _client.Repair(client, isOurs: before?.CreatedClient == true);
        var hasAccount = (bool?)client?["serviceAccountsEnabled"] is true;
        var had = hasAccount ? await _client.RolesAsync(client!, cancellationToken) : [];
        string[] lacking = [.. RealmRequirements.Roles.Except(had, StringComparer.Ordinal)];
        record.Roles = [.. record.Roles.Union(lacking, StringComparer.Ordinal)];
        string[] powerful = [.. had.Except(RealmRequirements.Roles.Concat(RealmRequirements.IncludedRoles), StringComparer.Ordinal)];
        if (powerful.Length > 0)
            notes.Add($"{_client.Label} may do more than the bridge needs: it has {string.Join(", ", powerful)}, which setup leaves alone");

        var webhooks = await WebhooksAsync(wish, notes, cancellationToken);
        List<string> lines = [];
        var settings = EventSettings.Plan(realm, wish.Retention, webhooks is not null, record, lines);
        var webhook = webhooks is null
            ? null
            : await new WebhookSubscription(desk, options, wish.BridgeUrl).PlanAsync(webhooks, record, cancellationToken);

        List<SetupStep> changes = [];
        if (client is null)
            changes.Add(new SetupStep([$"+ {_client.Label}"], token => _client.CreateAsync(record, token)));
        else if (repair is not null)
            changes.Add(new SetupStep(
                [$"~ {_client.Label}: {string.Join(", ", repair.Select(field => field.Key))}"], token => _client.UpdateAsync(record, repair, token)));
        else if (!record.IsEmpty && record.Text != written)
            changes.Add(new SetupStep(
                [$"~ {_client.Label}: its attribute {SetupRecord.Attribute} keeps what --undo needs"], token => _client.UpdateAsync(record, null, token)));
        if (lacking.Length > 0)
            changes.Add(new SetupStep(
                [.. lacking.Select(role => $"+ role {role} for {_client.Label}")], token => _client.MapRolesAsync(HttpMethod.Post, lacking, token)));
        if (settings is not null)
            changes.Add(new SetupStep(lines, token => new RealmWriter(desk).WriteAsync(settings, token)));
        if (webhook is not null)
            changes.Add(webhook);
        return new RealmPlan(changes, notes);
    }

    /// <summary>Takes back what the record on the client says, the client last, so that a part that fails can be done again.</summary>
    /// <exception cref="ConfigurationException">The administrator may not.</exception>
    /// <exception cref="KeycloakException">Keycloak did not answer as asked.</exception>
    public async Task<RealmPlan> PlanUndoAsync(CancellationToken cancellationToken)
    {
        var client = await _client.FindAsync(cancellationToken);
        if (SetupRecord.Of(client) is not { } record)
            return new RealmPlan([], [$"realm {desk.Realm} has no client with a record of setup (attribute {SetupRecord.Attribute})"]);

        List<SetupStep> changes = [];
        List<string> notes = [];
        if (record.Webhook is { } url && await desk.WebhooksAsync(cancellationToken) is { } webhooks)
            changes.AddRange(webhooks.Where(webhook => webhook.Url == url).Select(webhook => new SetupStep(
                [$"- webhook to {url} in realm {desk.Realm}"], token => desk.SendWebhookAsync(HttpMethod.Delete, webhook.Id, null, token))));
        List<string> lines = [];
        if (EventSettings.Undo(await new RealmWriter(desk).ReadAsync(cancellationToken), record, lines, notes) is { } settings)
            changes.Add(new SetupStep(lines, token => new RealmWriter(desk).WriteAsync(settings, token)));
        if (record.CreatedClient)
        {
            changes.Add(new SetupStep([$"- {_client.Label}"], _client.DeleteAsync));
            return new RealmPlan(changes, notes);
        }

        string[] given = [.. (await _client.RolesAsync(client!, cancellationToken)).Intersect(record.Roles, StringComparer.Ordinal)];
        if (given.Length > 0)
            changes.Add(new SetupStep(
                [.. given.Select(role => $"- role {role} of {_client.Label}")], token => _client.MapRolesAsync(HttpMethod.Delete, given, token)));
        changes.Add(new SetupStep([$"~ {_client.Label}: without the attribute {SetupRecord.Attribute}"], token => _client.UpdateAsync(null, null, token)));
        return new RealmPlan(changes, notes);
    }

    /// <summary>The webhooks that are there, null when the realm is to get none.</summary>
    private async Task<IReadOnlyList<RegisteredWebhook>?> WebhooksAsync(SetupOptions wish, List<string> notes, CancellationToken cancellationToken)
    {
        if (await desk.LacksEventStoreAsync(cancellationToken))
            notes.Add(
                $"Keycloak fails to read stored events of realm {desk.Realm}: with a webhook plugin set KC_SPI_EVENTS_STORE__PROVIDER=jpa, build and restart it");
        if (await desk.WebhooksAsync(cancellationToken) is not { } there)
        {
            notes.Add(wish.PollInterval is { } soon
                ? $"Keycloak has no webhook plugin: polling alone finds users of realm {desk.Realm} within about {soon.TotalSeconds:0.#} s"
                : $"Keycloak has no webhook plugin and Intake:Poll:Enabled is false: only reconciliation finds users of realm {desk.Realm}");
            return null;
        }

        if (!wish.Webhooks)
            return null;
        if (new WebhookSubscription(desk, options, wish.BridgeUrl).SkipReason is not { } reason)
            return there;
        notes.Add(reason);
        return null;
    }
}
