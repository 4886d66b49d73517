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
        var (added, replaced, results) = (new List<EmulatedUser>(), new List<EmulatedUser>(), new JsonArray());
        foreach (var imported in body.Objects("users"))
        {
            var user = EmulatedUser.Imported(imported, realms.CreatedOfImport);
            var existing = Existing(realm, user.Username);
            var policy = body.Text("ifResourceExists");
            if (existing is not null && policy is "SKIP")
            {
                results.Add(Result("SKIPPED", existing));
                continue;
            }

            if (existing is not null && policy is not "OVERWRITE")
                throw RefusalException.Conflict($"User with user name {user.Username} already exists.");
            // The user of before is deleted without an event.
            if (existing is not null)
                replaced.Add(existing);

            var representation = imported.DeepClone().AsObject();
            representation.Remove("credentials");
            representation["id"] = user.Id;
            transaction.RaiseAdmin(caller, existing is null ? "CREATE" : "UPDATE", "REALM", $"users/{user.Id}", representation);
            added.Add(user);
            results.Add(Result(existing is null ? "ADDED" : "OVERWRITTEN", user));
        }

        await transaction.CommitAsync(
            () =>
            {
                replaced.ForEach(user => realm.Users.Remove(user.Id));
                realm.Users.AddRange(added);
            },
            context.RequestAborted);
        return Answer.Json(new JsonObject
        {
            ["overwritten"] = replaced.Count, ["added"] = added.Count - replaced.Count, ["skipped"] = results.Count - added.Count,
            ["results"] = results,
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
