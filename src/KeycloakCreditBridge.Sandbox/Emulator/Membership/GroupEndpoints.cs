using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Tokens;

namespace KeycloakCreditBridge.Sandbox.Emulator.Membership;

/// <summary>Groups and their members.</summary>
internal sealed class GroupEndpoints(AdminAccess access, TransactionFactory transactions, Uri server)
{
    private const string Groups = "/admin/realms/{realm}/groups";
    private const string Joined = "/admin/realms/{realm}/users/{id}/groups";

    public void Map(Routes routes)
    {
        routes.Map("POST", Groups, CreateAsync);
        routes.Map("POST", $"{Groups}/{{group}}/children", CreateAsync);
        routes.Map("GET", Joined, List);
        routes.Map("PUT", $"{Joined}/{{group}}", context => ChangeAsync(context, "CREATE"));
        routes.Map("DELETE", $"{Joined}/{{group}}", context => ChangeAsync(context, "DELETE"));
    }

    private async Task<Answer> CreateAsync(HttpContext context)
    {
        var (realm, caller) = access.Require(context, "manage-users");
        var body = await EmulatorJson.ReadAsync<JsonObject>(context);
        var parent = context.Request.RouteValues.ContainsKey("group") ? Group(realm, context) : null;
        var group = new EmulatedGroup(Guid.NewGuid().ToString(), body.Text("name") ?? "", parent);
        var transaction = transactions.Begin(realm, context);
        var representation = new JsonObject { ["id"] = group.Id, ["name"] = group.Name, ["subGroups"] = new JsonArray() };
        transaction.RaiseAdmin(
            caller, "CREATE", "GROUP", parent is null ? $"groups/{group.Id}" : $"groups/{parent.Id}/children", representation);
        await transaction.CommitAsync(() => realm.Memberships.Groups.Add(group.Id, group), context.RequestAborted);
        return Answer.Created($"{server}admin/realms/{Uri.EscapeDataString(realm.Name)}/groups/{group.Id}");
    }

    private Answer List(HttpContext context)
    {
        var (realm, _) = access.Require(context, "view-users", "manage-users");
        var user = realm.User(context.Route("id"));
        var (first, max) = (context.Request.Query.Number("first", 0), context.Request.Query.Number("max", int.MaxValue));
        lock (realm.Gate)
            return Answer.Json(new JsonArray([.. realm.Memberships.GroupsOf(user).Skip(first).Take(max).Select(group => group.ToJson())]));
    }

    private async Task<Answer> ChangeAsync(HttpContext context, string operation)
    {
        var (realm, caller) = access.Require(context, "manage-users");
        var (user, group) = (realm.User(context.Route("id")), Group(realm, context));
        var (joins, representation) = (operation == "CREATE", group.ToJson());
        representation["attributes"] = new JsonObject();
        representation["realmRoles"] = new JsonArray();
        representation["clientRoles"] = new JsonObject();
        var details = new Dictionary<string, string> { ["username"] = user.Username };
        if (user.Email is not null)
            details["email"] = user.Email;
        var transaction = transactions.Begin(realm, context);
        transaction.RaiseAdmin(caller, operation, "GROUP_MEMBERSHIP", $"users/{user.Id}/groups/{group.Id}", representation, details);
        await transaction.CommitAsync(
            () => realm.Users.Replace(user with { Groups = joins ? user.Groups.Add(group.Id) : user.Groups.Remove(group.Id) }),
            context.RequestAborted);
        return Answer.NoContent;
    }

    internal static EmulatedGroup Group(RealmState realm, HttpContext context)
    {
        lock (realm.Gate)
            return realm.Memberships.Groups.GetValueOrDefault(context.Route("group"))
                ?? throw RefusalException.Error(StatusCodes.Status404NotFound, "Group not found");
    }
}
