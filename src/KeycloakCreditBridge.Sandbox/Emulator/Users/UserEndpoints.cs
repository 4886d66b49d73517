using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Tokens;

namespace KeycloakCreditBridge.Sandbox.Emulator.Users;

/// <summary>Listing, counting, reading and writing users.</summary>
internal sealed class UserEndpoints(
    AdminAccess access, TransactionFactory transactions, EmulatorClock clock, Lockouts lockouts, ServerModel model, Uri server)
{
    private const string Collection = "/admin/realms/{realm}/users";
    private const string Item = $"{Collection}/{{id}}";

    public void Map(Routes routes)
    {
        routes.Map("GET", Collection, List);
        routes.Map("GET", $"{Collection}/count", Count);
        routes.Map("GET", Item, Read);
        routes.Map("GET", $"{Item}/federated-identity", ReadIdentities);
        routes.Map("POST", Collection, CreateAsync);
        routes.Map("PUT", Item, UpdateAsync);
        routes.Map("DELETE", Item, DeleteAsync);
    }

    /// <summary>With query-users alone the answer is an empty list, not a refusal.</summary>
    private Answer List(HttpContext context)
    {
        var (realm, caller) = access.Require(context, "view-users", "query-users", "manage-users");
        var query = context.Request.Query;
        var filter = UserFilter.ForList(query, model);
        var (first, max) = (query.Number("first", 0), query.Number("max", QueryValues.DefaultPage));
        if (!caller.HasAny(realm, "view-users", "manage-users"))
            return Answer.Json(new JsonArray());
        EmulatedUser[] page;
        lock (realm.Gate)
        {
            // Federated users come after stored ones; users that this very list imports count as federated.
            var imported = filter.ImportFrom(realm, clock.Milliseconds);
            var found = filter.Apply(realm.Users);
            var rest = (imported.Count == 0 ? found : found.Except(imported).Concat(imported)).Skip(Math.Max(0, first));
            page = [.. (max < 0 ? rest : rest.Take(max)).Where(user => !realm.HiddenUserIds.Contains(user.Id))];
        }

        var canManage = caller.HasAny(realm, "manage-users");
        var now = clock.Milliseconds;
        var brief = query.Flag("briefRepresentation") is true;
        return Answer.Json(new JsonArray([.. page.Select(user => brief ? user.Brief(canManage, now) : user.Listed(canManage, now))]));
    }

    private Answer Count(HttpContext context)
    {
        var (realm, _) = access.Require(context, "view-users", "query-users", "manage-users");
        var filter = UserFilter.ForCount(context.Request.Query, model);
        lock (realm.Gate)
            return Answer.Json(JsonValue.Create(filter.Count(realm.Users)));
    }

    private Answer Read(HttpContext context)
    {
        var (realm, caller) = access.Require(context, "view-users", "manage-users");
        var user = realm.User(context.Route("id"));
        // Older servers take a lockout for disablement here, and only here.
        if (model is ServerModel.V26_0 && lockouts.IsLockedOut(realm, user.Id))
            user = user with { Enabled = false };
        return Answer.Json(user.Full(caller.HasAny(realm, "manage-users"), clock.Milliseconds));
    }

    private Answer ReadIdentities(HttpContext context)
    {
        var (realm, _) = access.Require(context, "view-users", "manage-users");
        return Answer.Json(new JsonArray([.. realm.User(context.Route("id")).Identities.Select(identity => new JsonObject
        {
            ["identityProvider"] = identity.Key, ["userId"] = identity.Value, ["userName"] = identity.Value,
        })]));
    }

    private async Task<Answer> CreateAsync(HttpContext context)
    {
        var (realm, caller) = access.Require(context, "manage-users");
        var body = await EmulatorJson.ReadAsync<JsonObject>(context);
        var username = body.Text("username");
        if (string.IsNullOrEmpty(username))
            throw new RefusalException(StatusCodes.Status400BadRequest, new JsonObject { ["errorMessage"] = "User name is missing" });
        RefuseBadEmail(body);
        var user = new EmulatedUser(EmulatedUser.NewId(), username.ToLowerInvariant())
        {
            Enabled = false, CreatedTimestamp = clock.Milliseconds,
        }.With(body) with { Attributes = ProfileEndpoints.AttributesOf(realm, body) };
        await CommitAsync(context, realm, caller, "CREATE", user.Id, WithoutSecrets(body), () => realm.Users.Add(user));
        return Answer.Created($"{server}admin/realms/{Uri.EscapeDataString(realm.Name)}/users/{user.Id}");
    }

    private async Task<Answer> UpdateAsync(HttpContext context)
    {
        var (realm, caller) = access.Require(context, "manage-users");
        var user = realm.User(context.Route("id"));
        var body = await EmulatorJson.ReadAsync<JsonObject>(context);
        RefuseBadEmail(body);
        var username = body.Text("username")?.ToLowerInvariant() ?? user.Username;
        if (username != user.Username && !realm.AllowsRenaming)
            throw RefusalException.Field("username", "error-user-attribute-read-only");
        await CommitAsync(context, realm, caller, "UPDATE", user.Id, WithoutSecrets(body), () =>
        {
            var before = realm.Users.ById(user.Id)!;
            var attributes = ProfileEndpoints.AttributesOf(realm, body) ?? before.Attributes;
            realm.Users.Replace(before.With(body) with { Username = username, Attributes = attributes });
        });
        return Answer.NoContent;
    }

    private async Task<Answer> DeleteAsync(HttpContext context)
    {
        var (realm, caller) = access.Require(context, "manage-users");
        var user = realm.User(context.Route("id"));
        var representation = new JsonObject { ["id"] = user.Id, ["username"] = user.Username };
        await CommitAsync(context, realm, caller, "DELETE", user.Id, representation, () => realm.Users.Remove(user.Id));
        return Answer.NoContent;
    }

    private Task CommitAsync(
        HttpContext context, RealmState realm, Caller caller, string operation, string userId, JsonObject representation, Action change)
    {
        var transaction = transactions.Begin(realm, context);
        transaction.RaiseAdmin(caller, operation, "USER", $"users/{userId}", representation);
        return transaction.CommitAsync(change, context.RequestAborted);
    }

    private static void RefuseBadEmail(JsonObject body)
    {
        if (body.Text("email") is { Length: > 0 } email && !email.Contains('@', StringComparison.Ordinal))
            throw RefusalException.Field("email", "error-invalid-email", email);
    }

    private static JsonObject WithoutSecrets(JsonObject body)
    {
        var shown = body.DeepClone().AsObject();
        shown.Remove("credentials");
        return shown;
    }
}
