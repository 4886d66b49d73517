using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Tokens;

namespace KeycloakCreditBridge.Sandbox.Emulator.Membership;

/// <summary>Realm roles, and their assignment to users, groups and other roles.</summary>
internal sealed class RealmRoleEndpoints(AdminAccess access, TransactionFactory transactions, Uri server)
{
    private const string Roles = "/admin/realms/{realm}/roles";
    private const string OfUser = "/admin/realms/{realm}/users/{id}/role-mappings/realm";
    private const string OfGroup = "/admin/realms/{realm}/groups/{group}/role-mappings/realm";

    public void Map(Routes routes)
    {
        routes.Map("POST", Roles, CreateAsync);
        routes.Map("GET", $"{Roles}/{{role}}", context => Answer.Json(Found(context).Role.ToJson(Found(context).Realm.Id)));
        routes.Map("POST", $"{Roles}/{{role}}/composites", IncludeAsync);
        routes.Map("GET", $"{OfUser}/composite", List);
        routes.Map("POST", OfUser, context => ChangeAsync(context, "CREATE"));
        routes.Map("DELETE", OfUser, context => ChangeAsync(context, "DELETE"));
        routes.Map("POST", OfGroup, GiveToGroupAsync);
    }

    private async Task<Answer> CreateAsync(HttpContext context)
    {
        var (realm, caller) = access.Require(context, "manage-realm");
        var body = await EmulatorJson.ReadAsync<JsonObject>(context);
        var role = new EmulatedRole(Guid.NewGuid().ToString(), body.Text("name") ?? "");
        var transaction = transactions.Begin(realm, context);
        var representation = new JsonObject { ["id"] = role.Id, ["name"] = role.Name, ["composite"] = false };
        transaction.RaiseAdmin(caller, "CREATE", "REALM_ROLE", $"roles/{role.Name}", representation);
        await transaction.CommitAsync(() => realm.Memberships.Roles.Add(role.Name, role), context.RequestAborted);
        return Answer.Created($"{server}admin/realms/{Uri.EscapeDataString(realm.Name)}/roles/{role.Name}");
    }

    private (RealmState Realm, EmulatedRole Role) Found(HttpContext context)
    {
        var (realm, _) = access.Require(context, "view-realm", "manage-realm");
        lock (realm.Gate)
            return (realm, realm.Memberships.Roles.GetValueOrDefault(context.Route("role"))
                ?? throw RefusalException.Error(StatusCodes.Status404NotFound, "Could not find role"));
    }

    private async Task<Answer> IncludeAsync(HttpContext context)
    {
        var (realm, caller) = access.Require(context, "manage-realm");
        var (_, role) = Found(context);
        var (included, body) = await NamesAsync(context);
        var transaction = transactions.Begin(realm, context);
        transaction.RaiseAdmin(caller, "CREATE", "REALM_ROLE", $"roles/{role.Name}/composites", body);
        await transaction.CommitAsync(
            () => realm.Memberships.Roles[role.Name] = role with { Included = role.Included.Union(included) }, context.RequestAborted);
        return Answer.NoContent;
    }

    private Answer List(HttpContext context)
    {
        var (realm, _) = access.Require(context, "view-users", "manage-users");
        var user = realm.User(context.Route("id"));
        lock (realm.Gate)
            return Answer.Json(new JsonArray([.. realm.Memberships.RolesOf(user).Select(role => role.ToJson(realm.Id))]));
    }

    private async Task<Answer> ChangeAsync(HttpContext context, string operation)
    {
        var (realm, caller) = access.Require(context, "manage-users");
        var user = realm.User(context.Route("id"));
        var (names, body) = await NamesAsync(context);
        var transaction = transactions.Begin(realm, context);
        transaction.RaiseAdmin(caller, operation, "REALM_ROLE_MAPPING", $"users/{user.Id}/role-mappings/realm", body);
        var roles = operation == "CREATE" ? user.RealmRoles.Union(names) : user.RealmRoles.Except(names);
        await transaction.CommitAsync(() => realm.Users.Replace(user with { RealmRoles = roles }), context.RequestAborted);
        return Answer.NoContent;
    }

    private async Task<Answer> GiveToGroupAsync(HttpContext context)
    {
        var (realm, caller) = access.Require(context, "manage-users");
        var group = GroupEndpoints.Group(realm, context);
        var (names, body) = await NamesAsync(context);
        var transaction = transactions.Begin(realm, context);
        transaction.RaiseAdmin(caller, "CREATE", "REALM_ROLE_MAPPING", $"groups/{group.Id}/role-mappings/realm", body);
        await transaction.CommitAsync(() => group.RealmRoles = group.RealmRoles.Union(names), context.RequestAborted);
        return Answer.NoContent;
    }

    private static async Task<(string[] Names, JsonArray Body)> NamesAsync(HttpContext context)
    {
        var body = await EmulatorJson.ReadAsync<JsonArray>(context);
        return ([.. body.OfType<JsonObject>().Select(role => role.Text("name")!)], body);
    }
}
