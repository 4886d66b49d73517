using System.Collections.Immutable;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Tokens;
using KeycloakCreditBridge.Sandbox.Emulator.Users;

namespace KeycloakCreditBridge.Sandbox.Emulator.Clients;

/// <summary>Clients, realm-management roles and their users, and identity providers: as much as setting up a realm needs.</summary>
internal sealed class ClientEndpoints(
    AdminAccess access, TransactionFactory transactions, EmulatorClock clock, ServerModel model, Uri server)
{
    private const string Clients = "/admin/realms/{realm}/clients";
    private const string Mappings = "/admin/realms/{realm}/users/{id}/role-mappings/clients/{client}";
    private const string Scopes = $"{Clients}/{{client}}/scope-mappings/clients/{{management}}";
    private const string Policies = "/admin/realms/{realm}/client-policies/policies";
    private const string Providers = "/admin/realms/{realm}/identity-provider/instances";

    public void Map(Routes routes)
    {
        routes.Map("GET", Clients, List);
        routes.Map("POST", Clients, CreateAsync);
        routes.Map("PUT", $"{Clients}/{{client}}", UpdateAsync);
        routes.Map("DELETE", $"{Clients}/{{client}}", DeleteAsync);
        routes.Map("GET", $"{Clients}/{{client}}/service-account-user", ServiceAccountUser);
        routes.Map("GET", $"{Clients}/{{client}}/roles", Roles);
        routes.Map("GET", $"{Clients}/{{client}}/roles/{{role}}", Role);
        routes.Map("POST", $"{Clients}/{{client}}/roles", AddRoleAsync);
        routes.Map("DELETE", $"{Clients}/{{client}}/roles/{{role}}", DeleteRole);
        routes.Map("GET", Mappings, context => Mapped(context, has: true));
        routes.Map("GET", $"{Mappings}/available", context => Mapped(context, has: false));
        routes.Map("POST", Mappings, context => ChangeMappingAsync(context, "CREATE", (had, given) => had.Union(given)));
        routes.Map("DELETE", Mappings, context => ChangeMappingAsync(context, "DELETE", (had, taken) => had.Except(taken)));
        routes.Map("GET", Scopes, context => Answer.Json(ScopeOf(context)));
        routes.Map("POST", Scopes, context => ChangeScopeAsync(context, (had, given) => had.Union(given)));
        routes.Map("DELETE", Scopes, context => ChangeScopeAsync(context, (had, taken) => had.Except(taken)));
        routes.Map("GET", Policies, ListPolicies);
        routes.Map("PUT", Policies, WritePoliciesAsync);
        routes.Map("POST", Providers, AddProviderAsync);
    }

    private Answer List(HttpContext context)
    {
        var (realm, caller) = access.Require(context, "view-clients", "query-clients", "manage-clients");
        var masksSecrets = model >= ServerModel.V26_8 && !caller.HasAny(realm, "manage-clients");
        var wanted = context.Request.Query.Value("clientId");
        var clients = realm.Clients.Values.Where(client => wanted is null || client.ClientId == wanted);
        return Answer.Json(new JsonArray([.. clients.Select(client => (JsonNode)client.ToJson(masksSecrets))]));
    }

    private async Task<Answer> CreateAsync(HttpContext context)
    {
        var (realm, caller) = access.Require(context, "manage-clients");
        var body = await EmulatorJson.ReadAsync<JsonObject>(context);
        ClientPolicies.Apply(realm.ClientPolicies, body);
        var client = EmulatedClient.From(body);
        var transaction = transactions.Begin(realm, context);
        if (body.ContainsKey("secret"))
            body["secret"] = EmulatedClient.Mask;
        transaction.RaiseAdmin(caller, "CREATE", "CLIENT", $"clients/{client.Uuid}", body);
        await transaction.CommitAsync(() => Add(realm, client), context.RequestAborted);
        return Answer.Created($"{server}admin/realms/{Uri.EscapeDataString(realm.Name)}/clients/{client.Uuid}");
    }

    private void Add(RealmState realm, EmulatedClient client)
    {
        var isNameTaken = client.HasServiceAccount && realm.Users.ByUsername($"service-account-{client.ClientId}") is not null;
        if (isNameTaken || !realm.Clients.TryAdd(client.ClientId, client))
            throw RefusalException.Conflict($"Client {client.ClientId} already exists");
        if (client.HasServiceAccount)
            realm.Users.Add(EmulatedUser.ServiceAccountOf(client, clock.Milliseconds));
    }

    private async Task<Answer> UpdateAsync(HttpContext context)
    {
        var (realm, caller) = access.Require(context, "manage-clients");
        var before = Client(realm, context);
        var body = await EmulatorJson.ReadAsync<JsonObject>(context);
        ClientPolicies.Apply(realm.ClientPolicies, body);
        var after = before.With(body);
        if (body.ContainsKey("secret"))
            body["secret"] = EmulatedClient.Mask;
        var transaction = transactions.Begin(realm, context);
        transaction.RaiseAdmin(caller, "UPDATE", "CLIENT", $"clients/{before.Uuid}", body);
        await transaction.CommitAsync(() => Replace(realm, after), context.RequestAborted);
        return Answer.NoContent;
    }

    private void Replace(RealmState realm, EmulatedClient client)
    {
        realm.Clients[client.ClientId] = client;
        if (client.HasServiceAccount && realm.ServiceAccountOf(client) is null)
            realm.Users.Add(EmulatedUser.ServiceAccountOf(client, clock.Milliseconds));
    }

    private async Task<Answer> DeleteAsync(HttpContext context)
    {
        var (realm, caller) = access.Require(context, "manage-clients");
        var client = Client(realm, context);
        var transaction = transactions.Begin(realm, context);
        transaction.RaiseAdmin(caller, "DELETE", "CLIENT", $"clients/{client.Uuid}", null);
        await transaction.CommitAsync(() => Remove(realm, client), context.RequestAborted);
        return Answer.NoContent;
    }

    private static void Remove(RealmState realm, EmulatedClient client)
    {
        realm.Clients.TryRemove(client.ClientId, out _);
        if (realm.ServiceAccountOf(client) is { } account)
            realm.Users.Remove(account.Id);
    }

    private Answer ServiceAccountUser(HttpContext context)
    {
        var (realm, _) = access.Require(context, "view-clients", "manage-clients");
        var user = realm.ServiceAccountOf(Client(realm, context))
            ?? throw RefusalException.Error(StatusCodes.Status400BadRequest, "Service account not enabled for the client");
        return Answer.Json(user.Listed(canManage: false, clock.Milliseconds));
    }

    private Answer Roles(HttpContext context)
    {
        var (realm, _) = access.Require(context, "view-clients", "manage-clients");
        var client = Client(realm, context);
        return client.ClientId == RealmState.Management
            ? RoleList(client, Caller.ManagementRoles)
            : Answer.Json(new JsonArray([.. client.Roles.Select(role => RoleJson(client, role))]));
    }

    private Answer Role(HttpContext context)
    {
        var (realm, _) = access.Require(context, "view-clients", "manage-clients");
        var (client, role) = (Client(realm, context), context.Route("role"));
        return (client.ClientId == RealmState.Management && Caller.ManagementRoles.Contains(role)) || client.Roles.Contains(role)
            ? Answer.Json(RoleJson(client, role))
            : throw RefusalException.Error(StatusCodes.Status404NotFound, "Could not find role");
    }

    private async Task<Answer> AddRoleAsync(HttpContext context)
    {
        var (realm, _) = access.Require(context, "manage-clients");
        var (client, body) = (Client(realm, context), await EmulatorJson.ReadAsync<JsonObject>(context));
        realm.Clients[client.ClientId] = client with { Roles = client.Roles.Add(body.Text("name")!) };
        return Answer.Created(
            $"{server}admin/realms/{Uri.EscapeDataString(realm.Name)}/clients/{client.Uuid}/roles/{body.Text("name")}");
    }

    private Answer DeleteRole(HttpContext context)
    {
        var (realm, _) = access.Require(context, "manage-clients");
        var client = Client(realm, context);
        realm.Clients[client.ClientId] = client with { Roles = client.Roles.Remove(context.Route("role")) };
        return Answer.NoContent;
    }

    private Answer Mapped(HttpContext context, bool has)
    {
        var (realm, _) = access.Require(context, "view-users", "manage-users");
        var (client, user) = (Client(realm, context), realm.User(context.Route("id")));
        return RoleList(client, Caller.ManagementRoles.Where(role => user.ClientRoles.Contains($"{client.ClientId}/{role}") == has));
    }

    private async Task<Answer> ChangeMappingAsync(
        HttpContext context, string operation, Func<ImmutableHashSet<string>, string[], ImmutableHashSet<string>> change)
    {
        var (realm, caller) = access.Require(context, "manage-users");
        var (client, user) = (Client(realm, context), realm.User(context.Route("id")));
        var body = await EmulatorJson.ReadAsync<JsonArray>(context);
        string[] roles = [.. body.OfType<JsonObject>().Select(role => $"{client.ClientId}/{role.Text("name")}")];
        var transaction = transactions.Begin(realm, context);
        transaction.RaiseAdmin(caller, operation, "CLIENT_ROLE_MAPPING", $"users/{user.Id}/role-mappings/clients/{client.Uuid}", body);
        await transaction.CommitAsync(
            () => realm.Users.Replace(user with { ClientRoles = change(user.ClientRoles, roles) }), context.RequestAborted);
        return Answer.NoContent;
    }

    private JsonArray ScopeOf(HttpContext context)
    {
        var (realm, _) = access.Require(context, "view-clients", "manage-clients");
        var management = realm.Clients[RealmState.Management];
        return new JsonArray([
            .. Client(realm, context).Scope.Select(role => (JsonNode)RoleJson(management, role.Split('/')[^1]))]);
    }

    private async Task<Answer> ChangeScopeAsync(
        HttpContext context, Func<ImmutableHashSet<string>, string[], ImmutableHashSet<string>> change)
    {
        var (realm, _) = access.Require(context, "manage-clients");
        var body = await EmulatorJson.ReadAsync<JsonArray>(context);
        string[] roles = [.. body.OfType<JsonObject>().Select(role => $"{RealmState.Management}/{role.Text("name")}")];
        var client = Client(realm, context);
        realm.Clients[client.ClientId] = client with { Scope = change(client.Scope, roles) };
        return Answer.NoContent;
    }

    private Answer ListPolicies(HttpContext context) =>
        Answer.Json(access.Require(context, "view-realm", "manage-realm").Realm.ClientPolicies.DeepClone());

    private async Task<Answer> WritePoliciesAsync(HttpContext context)
    {
        var (realm, _) = access.Require(context, "manage-realm");
        realm.ClientPolicies = await EmulatorJson.ReadAsync<JsonObject>(context);
        return Answer.NoContent;
    }

    private async Task<Answer> AddProviderAsync(HttpContext context)
    {
        var (realm, caller) = access.Require(context, "manage-identity-providers");
        var body = await EmulatorJson.ReadAsync<JsonObject>(context);
        var provider = IdentityProvider.From(body);
        if (body["config"] is JsonObject config && config.ContainsKey("clientSecret"))
            config["clientSecret"] = EmulatedClient.Mask;
        var transaction = transactions.Begin(realm, context);
        transaction.RaiseAdmin(caller, "CREATE", "IDENTITY_PROVIDER", $"identity-provider/instances/{provider.Alias}", body);
        await transaction.CommitAsync(() => realm.IdentityProviders[provider.Alias] = provider, context.RequestAborted);
        return Answer.Created($"{server}admin/realms/{Uri.EscapeDataString(realm.Name)}/identity-provider/instances/{provider.Alias}");
    }

    private static EmulatedClient Client(RealmState realm, HttpContext context) =>
        realm.ClientByUuid(context.Route("client")) ?? throw RefusalException.Error(StatusCodes.Status404NotFound, "Could not find client");

    private static Answer RoleList(EmulatedClient client, IEnumerable<string> roles) =>
        Answer.Json(new JsonArray([.. roles.Where(_ => client.ClientId == RealmState.Management).Select(role => RoleJson(client, role))]));

    private static JsonObject RoleJson(EmulatedClient client, string role) => new()
    {
        ["id"] = $"{client.Uuid}-{role}",
        ["name"] = role,
        ["description"] = $"${{role_{role}}}",
        ["composite"] = role is "view-users" or "realm-admin",
        ["clientRole"] = true,
        ["containerId"] = client.Uuid,
    };
}
