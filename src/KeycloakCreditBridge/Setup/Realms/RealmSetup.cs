using System.Text.Json.Nodes;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.ClientKeys;
using KeycloakCreditBridge.Setup.Clients;
using KeycloakCreditBridge.Setup.Operators;
using KeycloakCreditBridge.Setup.Webhooks;

namespace KeycloakCreditBridge.Setup.Realms;

/// <summary>Plans the steps that give one realm what the bridge needs, or that undo them. Planning changes nothing.</summary>
internal sealed class RealmSetup
{
    private static readonly AdminRequest StoredEvents = new("events", AdminRequest.ViewEvents, "?max=1");

    private readonly AdminSession _session;
    private readonly KeycloakOptions _options;
    private readonly BridgeClient _client;
    private readonly ServiceAccount _account;
    private readonly PhaseTwoWebhooks _webhooks;
    private readonly PageClient? _page;

    /// <param name="session">The realm, as an administrator.</param>
    /// <param name="options">Which client and which secrets.</param>
    /// <param name="key">The key that the client signs in with; null when it signs in with its secret.</param>
    /// <param name="page">The client of the operator page; null where this realm is to have none.</param>
    public RealmSetup(AdminSession session, KeycloakOptions options, ClientKey? key = null, PageClient? page = null)
    {
        _page = page;
        (_session, _options, _webhooks) = (session, options, new PhaseTwoWebhooks(session));
        _client = new BridgeClient(session, options, key);
        _account = new ServiceAccount(session, _client, options.ClientIdOf(session.Realm));
    }

    /// <exception cref="ConfigurationException">The administrator may not, or what is there setup did not create.</exception>
    /// <exception cref="KeycloakException">Keycloak did not answer as asked.</exception>
    public async Task<RealmPlan> PlanAsync(SetupOptions wanted, CancellationToken cancellationToken)
    {
        var realm = await new RealmWriter(_session).ReadAsync(cancellationToken);
        var client = await _client.FindAsync(cancellationToken);
        var before = SetupRecord.Of(client);
        var record = before ?? new SetupRecord { CreatedClient = client is null };
        var (written, notes) = (before?.Text, new List<string>());

        var repair = client is null ? null : await _client.RepairAsync(client, record, cancellationToken);
        if ((bool?)client?["serviceAccountsEnabled"] is not true)
            await _account.CheckNameAsync(cancellationToken);
        if (client is not null && _client.Unseen(client) is { } unseen)
            notes.Add(unseen);
        var hasAccount = (bool?)client?["serviceAccountsEnabled"] is true;
        var had = hasAccount ? await _account.RolesAsync(client!, cancellationToken) : [];
        string[] lacking = [.. RealmRequirements.Roles.Except(had, StringComparer.Ordinal)];
        record.Roles = [.. record.Roles.Union(lacking, StringComparer.Ordinal)];
        var beyond = client is null ? [] : await _account.BeyondScopeAsync(client, cancellationToken);
        record.Scope = [.. record.Scope.Union(beyond, StringComparer.Ordinal)];
        string[] powerful = [.. had.Except(RealmRequirements.Roles.Concat(RealmRequirements.IncludedRoles), StringComparer.Ordinal)];
        if (powerful.Length > 0)
            notes.Add(
                $"{_client.Label} may do more than the bridge needs: it has {string.Join(", ", powerful)}, which setup does not change");

        var webhooks = await WebhooksAsync(wanted, notes, cancellationToken);
        List<string> lines = [];
        var settings = EventSettings.Plan(realm, wanted.Retention, webhooks is not null, record, lines);
        var webhook = webhooks is null
            ? null
            : await new WebhookSubscription(_webhooks, _options, wanted.BridgeUrl).PlanAsync(webhooks, record, cancellationToken);

        List<SetupStep> changes = [];
        if (client is null)
            changes.Add(new SetupStep([$"+ {_client.Label}"], token => _client.CreateAsync(record, token)));
        else if (repair is not null)
            changes.Add(new SetupStep(
                [$"~ {_client.Label}: {string.Join(", ", repair.Select(Described))}"],
                token => _client.UpdateAsync(record, repair, token)));
        else if (!record.IsEmpty && record.Text != written)
            changes.Add(new SetupStep(
                [$"~ {_client.Label}: its attribute {SetupRecord.Attribute} keeps what --undo needs"],
                token => _client.UpdateAsync(record, null, token)));
        if (lacking.Length > 0)
            changes.Add(new SetupStep(
                [.. lacking.Select(role => $"+ role {role} for {_client.Label}")],
                token => _account.MapRolesAsync(HttpMethod.Post, lacking, token)));
        if (client is null)
            changes.Add(new SetupStep([], _account.CompleteScopeAsync));
        else if (beyond.Count > 0)
            changes.Add(new SetupStep(
                [.. beyond.Select(role => $"+ role {role} in the scope of {_client.Label}")],
                token => _account.MapScopeAsync(HttpMethod.Post, beyond, token)));
        if (settings is not null)
            changes.Add(new SetupStep(lines, token => new RealmWriter(_session).WriteAsync(settings, token)));
        if (webhook is not null)
            changes.Add(webhook);
        if (_page is not null)
            changes.AddRange(await _page.PlanAsync(cancellationToken));
        return new RealmPlan(changes, notes);
    }

    /// <summary>Undoes what the record on the client says, the client last, so that a failed part can be repeated.</summary>
    /// <exception cref="ConfigurationException">The administrator may not.</exception>
    /// <exception cref="KeycloakException">Keycloak did not answer as asked.</exception>
    public async Task<RealmPlan> PlanUndoAsync(CancellationToken cancellationToken)
    {
        List<SetupStep> changes = [];
        if (_page is not null)
            changes.AddRange(await _page.PlanUndoAsync(cancellationToken));
        var client = await _client.FindAsync(cancellationToken);
        if (SetupRecord.Of(client) is not { } record)
            return new RealmPlan(
                changes, [$"realm {_session.Realm} has no client with a record of setup (attribute {SetupRecord.Attribute})"]);

        List<string> notes = [];
        if (record.Webhook is { } url && await ListAsync(notes, cancellationToken) is { } webhooks)
            changes.AddRange(webhooks.Where(webhook => webhook.Url == url).Select(webhook => new SetupStep(
                [$"- webhook to {url} in realm {_session.Realm}"],
                token => _webhooks.SendAsync(HttpMethod.Delete, webhook.Id, null, token))));
        List<string> lines = [];
        if (EventSettings.Undo(await new RealmWriter(_session).ReadAsync(cancellationToken), record, lines, notes) is { } settings)
            changes.Add(new SetupStep(lines, token => new RealmWriter(_session).WriteAsync(settings, token)));
        if (record.CreatedClient)
        {
            changes.Add(new SetupStep([$"- {_client.Label}"], _client.DeleteAsync));
            return new RealmPlan(changes, notes);
        }

        string[] given = [.. (await _account.RolesAsync(client!, cancellationToken)).Intersect(record.Roles, StringComparer.Ordinal)];
        if (given.Length > 0)
            changes.Add(new SetupStep(
                [.. given.Select(role => $"- role {role} of {_client.Label}")],
                token => _account.MapRolesAsync(HttpMethod.Delete, given, token)));
        if (record.Scope.Count > 0)
            changes.Add(new SetupStep(
                [.. record.Scope.Select(role => $"- role {role} in the scope of {_client.Label}")],
                token => _account.MapScopeAsync(HttpMethod.Delete, record.Scope, token)));
        string[] without = [$"the attribute {SetupRecord.Attribute}", .. record.Keys.Select(key => $"the key {key}")];
        changes.Add(
            new SetupStep(
                [$"~ {_client.Label}: without {string.Join(" and ", without)}"], token => _client.ForgetAsync(record.Keys, token)));
        return new RealmPlan(changes, notes);
    }

    /// <summary>The existing webhooks, null when the realm is to get none.</summary>
    private async Task<IReadOnlyList<RegisteredWebhook>?> WebhooksAsync(
        SetupOptions wanted, List<string> notes, CancellationToken cancellationToken)
    {
        if (await _session.AskAsync(StoredEvents, response => response.LacksEventStore, cancellationToken))
            notes.Add(
                $"Keycloak fails to read stored events of realm {_session.Realm}: with a webhook plugin set " +
                "KC_SPI_EVENTS_STORE__PROVIDER=jpa, build and restart it");
        var refused = notes.Count;
        if (await ListAsync(notes, cancellationToken) is not { } there)
        {
            if (notes.Count > refused)
                return null;
            notes.Add(wanted.PollInterval is { } soon
                ? $"Keycloak has no webhook plugin: polling alone finds users of realm {_session.Realm} within about " +
                    $"{soon.TotalSeconds:0.#} s"
                : "Keycloak has no webhook plugin and Intake:Poll:Enabled is false: only reconciliation finds users of realm " +
                    $"{_session.Realm}");
            return null;
        }

        if (!wanted.Webhooks)
            return null;
        if (new WebhookSubscription(_webhooks, _options, wanted.BridgeUrl).SkipReason is { } reason)
        {
            notes.Add(reason);
            return null;
        }

        if (BridgeAddress.Problem(wanted.BridgeUrl, wanted.Listening) is { } problem)
            notes.Add($"{problem.Says}: {problem.Cure}");
        return there;
    }

    /// <summary>The realm's webhooks; null where there is no plugin, or where it refuses, which becomes a note.</summary>
    private async Task<IReadOnlyList<RegisteredWebhook>?> ListAsync(List<string> notes, CancellationToken cancellationToken)
    {
        try
        {
            return await _webhooks.ListAsync(cancellationToken);
        }
        catch (KeycloakPluginException exception)
        {
            notes.Add(exception.Message);
            return null;
        }
    }

    private static string Described(KeyValuePair<string, JsonNode?> field) =>
        field.Key == "attributes" ? "takes the key of Keycloak:PrivateKeyFile" : field.Key;
}
