using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Setup;

/// <summary>What setup is to achieve.</summary>
/// <param name="Retention">How long events are kept at least.</param>
/// <param name="BridgeUrl">The address at which Keycloak reaches the bridge; null when it is not known.</param>
/// <param name="Webhooks">Whether a webhook is wanted where the server can have one.</param>
/// <param name="PollInterval">How soon polling alone finds a new user; null when the bridge does not poll.</param>
internal sealed record SetupOptions(TimeSpan Retention, Uri? BridgeUrl, bool Webhooks, TimeSpan? PollInterval);

/// <summary>Plans the steps that give one realm what the bridge needs, or that undo them. Planning changes nothing.</summary>
internal sealed class RealmSetup(AdminSession session, KeycloakOptions options)
{
    private static readonly AdminRequest StoredEvents = new("events", AdminRequest.ViewEvents, "?max=1");

    private readonly BridgeClient _client = new(session, options);
    private readonly PhaseTwoWebhooks _webhooks = new(session);

    /// <exception cref="ConfigurationException">The administrator may not, or what is there setup did not create.</exception>
    /// <exception cref="KeycloakException">Keycloak did not answer as asked.</exception>
    public async Task<RealmPlan> PlanAsync(SetupOptions wanted, CancellationToken cancellationToken)
    {
        var realm = await new RealmWriter(session).ReadAsync(cancellationToken);
        var client = await _client.FindAsync(cancellationToken);
        var before = SetupRecord.Of(client);
        var record = before ?? new SetupRecord { CreatedClient = client is null };
        var (written, notes) = (before?.Text, new List<string>());

        var repair = client is null ? null : _client.Repair(client, isOurs: before?.CreatedClient == true);
        if (client is not null && _client.Unseen(client) is { } unseen)
            notes.Add(unseen);
        var hasAccount = (bool?)client?["serviceAccountsEnabled"] is true;
        var had = hasAccount ? await _client.RolesAsync(client!, cancellationToken) : [];
        string[] lacking = [.. RealmRequirements.Roles.Except(had, StringComparer.Ordinal)];
        record.Roles = [.. record.Roles.Union(lacking, StringComparer.Ordinal)];
        string[] powerful = [.. had.Except(RealmRequirements.Roles.Concat(RealmRequirements.IncludedRoles), StringComparer.Ordinal)];
        if (powerful.Length > 0)
            notes.Add(
                $"{_client.Label} may do more than the bridge needs: it has {string.Join(", ", powerful)}, which setup does not change");

        var webhooks = await WebhooksAsync(wanted, notes, cancellationToken);
        List<string> lines = [];
        var settings = EventSettings.Plan(realm, wanted.Retention, webhooks is not null, record, lines);
        var webhook = webhooks is null
            ? null
            : await new WebhookSubscription(_webhooks, options, wanted.BridgeUrl).PlanAsync(webhooks, record, cancellationToken);

        List<SetupStep> changes = [];
        if (client is null)
            changes.Add(new SetupStep([$"+ {_client.Label}"], token => _client.CreateAsync(record, token)));
        else if (repair is not null)
            changes.Add(new SetupStep(
                [$"~ {_client.Label}: {string.Join(", ", repair.Select(field => field.Key))}"],
                token => _client.UpdateAsync(record, repair, token)));
        else if (!record.IsEmpty && record.Text != written)
            changes.Add(new SetupStep(
                [$"~ {_client.Label}: its attribute {SetupRecord.Attribute} keeps what --undo needs"],
                token => _client.UpdateAsync(record, null, token)));
        if (lacking.Length > 0)
            changes.Add(new SetupStep(
                [.. lacking.Select(role => $"+ role {role} for {_client.Label}")],
                token => _client.MapRolesAsync(HttpMethod.Post, lacking, token)));
        if (settings is not null)
            changes.Add(new SetupStep(lines, token => new RealmWriter(session).WriteAsync(settings, token)));
        if (webhook is not null)
            changes.Add(webhook);
        return new RealmPlan(changes, notes);
    }

    /// <summary>Undoes what the record on the client says, the client last, so that a failed part can be repeated.</summary>
    /// <exception cref="ConfigurationException">The administrator may not.</exception>
    /// <exception cref="KeycloakException">Keycloak did not answer as asked.</exception>
    public async Task<RealmPlan> PlanUndoAsync(CancellationToken cancellationToken)
    {
        var client = await _client.FindAsync(cancellationToken);
        if (SetupRecord.Of(client) is not { } record)
            return new RealmPlan([], [$"realm {session.Realm} has no client with a record of setup (attribute {SetupRecord.Attribute})"]);

        List<SetupStep> changes = [];
        List<string> notes = [];
        if (record.Webhook is { } url && await _webhooks.ListAsync(cancellationToken) is { } webhooks)
            changes.AddRange(webhooks.Where(webhook => webhook.Url == url).Select(webhook => new SetupStep(
                [$"- webhook to {url} in realm {session.Realm}"],
                token => _webhooks.SendAsync(HttpMethod.Delete, webhook.Id, null, token))));
        List<string> lines = [];
        if (EventSettings.Undo(await new RealmWriter(session).ReadAsync(cancellationToken), record, lines, notes) is { } settings)
            changes.Add(new SetupStep(lines, token => new RealmWriter(session).WriteAsync(settings, token)));
        if (record.CreatedClient)
        {
            changes.Add(new SetupStep([$"- {_client.Label}"], _client.DeleteAsync));
            return new RealmPlan(changes, notes);
        }

        string[] given = [.. (await _client.RolesAsync(client!, cancellationToken)).Intersect(record.Roles, StringComparer.Ordinal)];
        if (given.Length > 0)
            changes.Add(new SetupStep(
                [.. given.Select(role => $"- role {role} of {_client.Label}")],
                token => _client.MapRolesAsync(HttpMethod.Delete, given, token)));
        changes.Add(
            new SetupStep(
                [$"~ {_client.Label}: without the attribute {SetupRecord.Attribute}"], token => _client.UpdateAsync(null, null, token)));
        return new RealmPlan(changes, notes);
    }

    /// <summary>The existing webhooks, null when the realm is to get none.</summary>
    private async Task<IReadOnlyList<RegisteredWebhook>?> WebhooksAsync(
        SetupOptions wanted, List<string> notes, CancellationToken cancellationToken)
    {
        if (await session.AskAsync(StoredEvents, response => response.LacksEventStore, cancellationToken))
            notes.Add(
                $"Keycloak fails to read stored events of realm {session.Realm}: with a webhook plugin set " +
                "KC_SPI_EVENTS_STORE__PROVIDER=jpa, build and restart it");
        if (await _webhooks.ListAsync(cancellationToken) is not { } there)
        {
            notes.Add(wanted.PollInterval is { } soon
                ? $"Keycloak has no webhook plugin: polling alone finds users of realm {session.Realm} within about " +
                    $"{soon.TotalSeconds:0.#} s"
                : "Keycloak has no webhook plugin and Intake:Poll:Enabled is false: only reconciliation finds users of realm " +
                    $"{session.Realm}");
            return null;
        }

        if (!wanted.Webhooks)
            return null;
        if (new WebhookSubscription(_webhooks, options, wanted.BridgeUrl).SkipReason is not { } reason)
            return there;
        notes.Add(reason);
        return null;
    }
}
