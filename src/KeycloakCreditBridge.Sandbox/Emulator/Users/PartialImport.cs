using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Tokens;

namespace KeycloakCreditBridge.Sandbox.Emulator.Users;

/// <summary>Partial import of users, which reports each as a change of the realm.</summary>
internal sealed class PartialImport(AdminAccess access, TransactionFactory transactions, RealmRegistry realms)
{
    public void Map(Routes routes) => routes.Map("POST", "/admin/realms/{realm}/partialImport", ImportAsync);

    private async Task<Answer> ImportAsync(HttpContext context)
    {
        var (realm, caller) = access.Require(context, "manage-realm");
        var body = await EmulatorJson.ReadAsync<JsonObject>(context);
        var transaction = transactions.Begin(realm, context);
        var (added, results) = (new List<EmulatedUser>(), new JsonArray());
        foreach (var imported in body.Objects("users"))
        {
            var user = EmulatedUser.Imported(imported, realms.CreatedOfImport);
            if (Existing(realm, user.Username) is { } existing)
            {
                if (body.Text("ifResourceExists") is not "SKIP")
                    throw RefusalException.Conflict($"User with user name {user.Username} already exists.");
                results.Add(Result("SKIPPED", existing));
                continue;
            }

            var representation = imported.DeepClone().AsObject();
            representation.Remove("credentials");
            representation["id"] = user.Id;
            transaction.RaiseAdmin(caller, "CREATE", "REALM", $"users/{user.Id}", representation);
            added.Add(user);
            results.Add(Result("ADDED", user));
        }

        await transaction.CommitAsync(() => realm.Users.AddRange(added), context.RequestAborted);
        return Answer.Json(new JsonObject
        {
            ["overwritten"] = 0, ["added"] = added.Count, ["skipped"] = results.Count - added.Count, ["results"] = results,
        });
    }

    private static EmulatedUser? Existing(RealmState realm, string username)
    {
        lock (realm.Gate)
            return realm.Users.ByUsername(username);
    }

    private static JsonObject Result(string action, EmulatedUser user) => new()
    {
        ["action"] = action, ["resourceType"] = "USER", ["resourceName"] = user.Username, ["id"] = user.Id,
    };
}
