using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Tokens;

namespace KeycloakCreditBridge.Sandbox.Emulator.Webhooks;

/// <summary>The REST interface of Phase Two's webhooks.</summary>
internal sealed class WebhookEndpoints(AdminAccess access, EmulatorClock clock, Uri server)
{
    private const string Collection = "/realms/{realm}/webhooks";
    private const string Item = $"{Collection}/{{id}}";

    public void Map(Routes routes)
    {
        routes.Map("GET", Collection, List);
        routes.Map("POST", Collection, CreateAsync);
        routes.Map("GET", $"{Collection}/count", context => Read(context, (realm, _) => JsonValue.Create(realm.Webhooks.Count)));
        routes.Map("GET", Item, context => Read(context, (realm, id) => Find(realm, id).ToJson(realm.Name)));
        routes.Map("GET", $"{Item}/secret", context => Read(context, (realm, id) =>
            new JsonObject { ["type"] = "secret", ["value"] = Find(realm, id).Secret }));
        routes.Map("PUT", Item, UpdateAsync);
        routes.Map("DELETE", Item, Delete);
    }

    private Answer List(HttpContext context) =>
        Read(context, (realm, _) => new JsonArray([.. realm.Webhooks.Select(webhook => (JsonNode)webhook.ToJson(realm.Name))]));

    private Answer Read(HttpContext context, Func<RealmState, string, JsonNode> read)
    {
        RefuseOddNames(context);
        var (realm, _) = access.Require(context, "view-events", "manage-events");
        lock (realm.Gate)
            return Answer.Json(read(realm, context.Request.RouteValues["id"] as string ?? ""));
    }

    // The plugin finds no realm by the issuer of such a token, whose name is escaped there.
    private void RefuseOddNames(HttpContext context)
    {
        var name = access.Caller(context).Realm.Name;
        if (Uri.EscapeDataString(name) != name)
            throw RefusalException.Unauthorized;
    }

    private async Task<Answer> CreateAsync(HttpContext context)
    {
        RefuseOddNames(context);
        var (realm, caller) = access.Require(context, "manage-events");
        var body = await EmulatorJson.ReadAsync<JsonObject>(context);
        var created = WebhookSubscription.From(body, caller, clock.Milliseconds);
        lock (realm.Gate)
            realm.Webhooks.Add(created);
        return Answer.Created($"{server}admin/realms/{Uri.EscapeDataString(realm.Name)}/webhooks/{created.Id}");
    }

    private async Task<Answer> UpdateAsync(HttpContext context)
    {
        var (realm, _) = access.Require(context, "manage-events");
        var body = await EmulatorJson.ReadAsync<JsonObject>(context);
        lock (realm.Gate)
        {
            var before = Find(realm, context.Route("id"));
            realm.Webhooks[realm.Webhooks.IndexOf(before)] = before.With(body);
        }

        return Answer.NoContent;
    }

    private Answer Delete(HttpContext context)
    {
        var (realm, _) = access.Require(context, "manage-events");
        lock (realm.Gate)
            realm.Webhooks.Remove(Find(realm, context.Route("id")));
        return Answer.NoContent;
    }

    private static WebhookSubscription Find(RealmState realm, string id) =>
        realm.Webhooks.Find(webhook => webhook.Id == id)
            ?? throw RefusalException.Error(StatusCodes.Status404NotFound, $"no webhook with id {id}");
}
