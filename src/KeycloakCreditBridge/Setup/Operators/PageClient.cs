using System.Text.Json.Nodes;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Setup.Operators;

/// <summary>The client that operators sign in with, and its roles: planned, made and undone.</summary>
/// <param name="session">The realm of operators, as an administrator.</param>
/// <param name="page">The page's settings.</param>
/// <param name="otherRealms">Watched realms beside this one: each has roles of its own here.</param>
internal sealed class PageClient(AdminSession session, PageOptions page, IReadOnlyList<string> otherRealms)
{
    private const string ViewClients = "view-clients";
    private const string ManageClients = "manage-clients";
    private const string Note = "Made by `setup keycloak` for operators of the credit bridge.";

    private static readonly string[] RoleNames = ["credits-admin", "credits-viewer"];

    private string Label => $"client {page.ClientId} in realm {session.Realm}";

    /// <summary>A role of this realm, or with its name of another one.</summary>
    private IEnumerable<string> Roles => RoleNames.Concat(otherRealms.SelectMany(realm => RoleNames.Select(role => $"{role}@{realm}")));

    /// <summary>What is to be done for operators to sign in; none when all is right.</summary>
    /// <exception cref="ConfigurationException">Setup did not create the client, and it would have to change.</exception>
    public async Task<IReadOnlyList<SetupStep>> PlanAsync(CancellationToken cancellationToken)
    {
        var client = await FindAsync(cancellationToken);
        List<SetupStep> steps = [];
        if (client is null)
        {
            steps.Add(new SetupStep(
                [$"+ {Label}"], token => session.SendAsync(HttpMethod.Post, "clients", ManageClients, Wanted(), token)));
        }
        else if (Deviations(client) is { Count: > 0 } wrong)
        {
            var named = string.Join(", ", wrong);
            if (SetupRecord.Of(client) is null)
                throw new ConfigurationException([
                    $"Realm '{session.Realm}' has a client '{page.ClientId}' already, which setup did not create, and {named} is not "
                    + "as the page needs it: change it in Keycloak, or choose another Page:ClientId."]);
            steps.Add(new SetupStep([$"~ {Label}: {named}"], UpdateAsync));
        }

        var had = client is null ? [] : await RolesOfAsync(client, cancellationToken);
        steps.AddRange(Roles.Except(had, StringComparer.Ordinal).Select(
            role => new SetupStep([$"+ role {role} of {Label}"], token => AddRoleAsync(role, token))));
        return steps;
    }

    /// <summary>Removes the client if setup created it; its roles go with it.</summary>
    public async Task<IReadOnlyList<SetupStep>> PlanUndoAsync(CancellationToken cancellationToken) =>
        await FindAsync(cancellationToken) is { } client && SetupRecord.Of(client) is not null
            ? [new SetupStep([$"- {Label}"], token => session.SendAsync(HttpMethod.Delete, PathOf(client), ManageClients, null, token))]
            : [];

    private JsonObject Wanted() => new()
    {
        ["clientId"] = page.ClientId,
        ["name"] = "Operator page of the credit bridge",
        ["description"] = Note,
        ["clientAuthenticatorType"] = "client-secret",
        ["secret"] = page.ClientSecret,
        ["enabled"] = true,
        ["publicClient"] = false,
        ["standardFlowEnabled"] = true,
        ["implicitFlowEnabled"] = false,
        ["directAccessGrantsEnabled"] = false,
        ["serviceAccountsEnabled"] = false,
        // Its own roles are in its tokens all the same, and no others.
        ["fullScopeAllowed"] = false,
        ["redirectUris"] = new JsonArray(page.AddressOf(PagePaths.SignedIn)),
        ["webOrigins"] = new JsonArray(),
        ["attributes"] = new JsonObject
        {
            ["pkce.code.challenge.method"] = "S256",
            ["post.logout.redirect.uris"] = page.AddressOf(PagePaths.SignedOut),
            ["backchannel.logout.url"] = page.AddressOf(PagePaths.BackChannelLogout),
            ["backchannel.logout.session.required"] = "true",
            [SetupRecord.Attribute] = new SetupRecord { CreatedClient = true }.Text,
        },
    };

    // Fields that Keycloak shows, in the order of the body. The secret may be masked, and the record tells only who made the client.
    private List<string> Deviations(JsonObject client)
    {
        var wanted = Wanted();
        List<string> wrong = [];
        foreach (var (field, value) in wanted)
        {
            if (field is "attributes" or "name" or "description" or "webOrigins" or "secret" or "implicitFlowEnabled")
                continue;
            if (!JsonNode.DeepEquals(client[field], value))
                wrong.Add(field);
        }

        if ((string?)client["secret"] is { } secret && secret != page.ClientSecret && !SecretMask.Covers(secret))
            wrong.Add("secret");
        foreach (var (attribute, value) in wanted["attributes"]!.AsObject())
        {
            if (attribute != SetupRecord.Attribute && (string?)client["attributes"]?[attribute] != (string?)value)
                wrong.Add(attribute);
        }

        return wrong;
    }

    private async Task UpdateAsync(CancellationToken cancellationToken)
    {
        var client = await ReadAsync(cancellationToken);
        foreach (var (field, value) in Wanted())
        {
            if (field != "attributes")
                client[field] = value?.DeepClone();
            else
                foreach (var (attribute, text) in value!.AsObject())
                    client["attributes"]![attribute] = text?.DeepClone();
        }

        await session.SendAsync(HttpMethod.Put, PathOf(client), ManageClients, client, cancellationToken);
    }

    private async Task<IReadOnlyList<string>> RolesOfAsync(JsonObject client, CancellationToken cancellationToken) =>
        [.. ((await session.GetAsync($"{PathOf(client)}/roles", ViewClients, cancellationToken)) as JsonArray ?? [])
            .Select(role => (string?)role?["name"]).OfType<string>()];

    private async Task AddRoleAsync(string role, CancellationToken cancellationToken)
    {
        var client = await ReadAsync(cancellationToken);
        await session.SendAsync(
            HttpMethod.Post, $"{PathOf(client)}/roles", ManageClients, new JsonObject { ["name"] = role, ["description"] = Note },
            cancellationToken);
    }

    private async Task<JsonObject> ReadAsync(CancellationToken cancellationToken) => await FindAsync(cancellationToken)
        ?? throw new ConfigurationException([$"The {Label} was deleted meanwhile: run the same command again."]);

    private async Task<JsonObject?> FindAsync(CancellationToken cancellationToken)
    {
        var found = await session.GetAsync($"clients?clientId={Uri.EscapeDataString(page.ClientId)}", ViewClients, cancellationToken);
        return (found as JsonArray ?? []).OfType<JsonObject>().FirstOrDefault(client => (string?)client["clientId"] == page.ClientId);
    }

    private static string PathOf(JsonObject client) => $"clients/{(string?)client["id"]}";
}
