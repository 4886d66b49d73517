using System.Text.Json;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Tokens;

namespace KeycloakCreditBridge.Sandbox.Emulator.Realms;

/// <summary>Making, reading, changing and deleting realms.</summary>
internal sealed class RealmEndpoints(RealmRegistry realms, AdminAccess access, TransactionFactory transactions, Uri server)
{
    private const string Components = "/admin/realms/{realm}/components";
    private const string Item = "/admin/realms/{realm}";

    public void Map(Routes routes)
    {
        routes.Map("POST", "/admin/realms", ImportAsync);
        routes.Map("GET", Item, Read);
        routes.Map("PUT", Item, UpdateAsync);
        routes.Map("DELETE", Item, Delete);
        routes.Map("GET", Components, ListComponents);
    }

    private async Task<Answer> ImportAsync(HttpContext context)
    {
        if (!access.Caller(context).Roles.Contains(Caller.AdminRole))
            throw RefusalException.Forbidden;
        var realm = realms.Import(await EmulatorJson.ReadAsync<JsonObject>(context));
        return Answer.Created($"{server}admin/realms/{Uri.EscapeDataString(realm.Name)}");
    }

    /// <summary>Callers without view-realm see little more than the name.</summary>
    private Answer Read(HttpContext context)
    {
        var (realm, caller) = access.Realm(context);
        if (!caller.Administers(realm))
            throw RefusalException.Forbidden;
        if (!caller.HasAny(realm, "view-realm", "manage-realm"))
            return Answer.Json(new JsonObject
            {
                ["realm"] = realm.Name,
                ["registrationEmailAsUsername"] = false,
                ["bruteForceProtected"] = false,
                ["supportedLocales"] = new JsonArray(),
                ["organizationsEnabled"] = false,
            });
        var shown = realm.Settings.DeepClone().AsObject();
        shown["id"] = realm.Id;
        foreach (var (field, value) in JsonSerializer.SerializeToNode(realm.Events, EmulatorJson.AsKeycloak.EventsConfig)!.AsObject())
            shown[field] = value?.DeepClone();
        return Answer.Json(shown);
    }

    /// <summary>Federations, as a realm file names them by their provider type.</summary>
    private Answer ListComponents(HttpContext context)
    {
        var (realm, _) = access.Require(context, "view-realm", "manage-realm");
        var listed = (realm.Settings["components"] as JsonObject ?? []).Objects(context.Request.Query.Value("type") ?? "");
        return Answer.Json(new JsonArray([.. listed.Select(component => component.DeepClone())]));
    }

    private async Task<Answer> UpdateAsync(HttpContext context)
    {
        var (realm, caller) = access.Require(context, "manage-realm");
        var body = await EmulatorJson.ReadAsync<JsonObject>(context);
        var transaction = transactions.Begin(realm, context);
        transaction.RaiseAdmin(caller, "UPDATE", "REALM", null, body);
        await transaction.CommitAsync(() => realm.Write(body), context.RequestAborted);
        return Answer.NoContent;
    }

    private Answer Delete(HttpContext context)
    {
        var (realm, _) = access.Require(context, "manage-realm");
        realms.Remove(realm.Name);
        return Answer.NoContent;
    }
}
