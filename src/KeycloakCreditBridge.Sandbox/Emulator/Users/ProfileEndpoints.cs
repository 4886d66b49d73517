using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Tokens;

namespace KeycloakCreditBridge.Sandbox.Emulator.Users;

/// <summary>The user profile: the declared attributes and their permissions.</summary>
internal sealed class ProfileEndpoints(AdminAccess access, TransactionFactory transactions)
{
    private const string Profile = "/admin/realms/{realm}/users/profile";

    public void Map(Routes routes)
    {
        routes.Map("GET", Profile, Read);
        routes.Map("PUT", Profile, WriteAsync);
    }

    /// <summary>
    /// What a user of the realm may have of the attributes in a body: others are dropped silently. Null where it names none.
    /// </summary>
    public static Dictionary<string, IReadOnlyList<string>>? AttributesOf(RealmState realm, JsonObject body) =>
        body["attributes"] is not JsonObject given ? null : given
            .Where(attribute => realm.Profile.ContainsKey("unmanagedAttributePolicy")
                || realm.Profile.Objects("attributes").Any(declared => declared.Text("name") == attribute.Key))
            .ToDictionary(attribute => attribute.Key, attribute => given.Texts(attribute.Key) ?? []);

    // Any role is enough.
    private Answer Read(HttpContext context)
    {
        var (realm, caller) = access.Realm(context);
        return caller.Administers(realm) ? Answer.Json(realm.Profile.DeepClone()) : throw RefusalException.Forbidden;
    }

    private async Task<Answer> WriteAsync(HttpContext context)
    {
        var (realm, caller) = access.Require(context, "manage-realm");
        var body = await EmulatorJson.ReadAsync<JsonObject>(context);
        var transaction = transactions.Begin(realm, context);
        transaction.RaiseAdmin(caller, "UPDATE", "USER_PROFILE", "users/profile", body);
        await transaction.CommitAsync(() => realm.Profile = body, context.RequestAborted);
        return Answer.Json(body.DeepClone());
    }
}
