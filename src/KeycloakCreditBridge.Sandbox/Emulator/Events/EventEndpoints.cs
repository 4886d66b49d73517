using System.IO.Enumeration;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Tokens;
using KeycloakCreditBridge.Sandbox.Emulator.Webhooks;

namespace KeycloakCreditBridge.Sandbox.Emulator.Events;

/// <summary>Reading and wiping stored events, and what is stored.</summary>
internal sealed class EventEndpoints(AdminAccess access, TransactionFactory transactions, ServerModel model, bool sendsWebhooks)
{
    private const string UserEvents = "/admin/realms/{realm}/events";
    private const string AdminEvents = "/admin/realms/{realm}/admin-events";
    private const string Config = $"{UserEvents}/config";

    private bool IsDateOnly => model is ServerModel.V26_0;

    public void Map(Routes routes)
    {
        routes.Map("GET", UserEvents, ListUserEvents);
        routes.Map("DELETE", UserEvents, context => Wipe(context, realm => realm.UserEvents.Clear()));
        routes.Map("GET", AdminEvents, ListAdminEvents);
        routes.Map("DELETE", AdminEvents, context => Wipe(context, realm => realm.AdminEvents.Clear()));
        routes.Map("GET", Config, ReadConfig);
        routes.Map("PUT", Config, WriteConfigAsync);
    }

    private Answer ListUserEvents(HttpContext context)
    {
        var (realm, _) = access.Require(context, "view-events", "manage-events");
        var query = context.Request.Query;
        var types = Names(query, "type", EventTypes.KnownTo(model));
        var (client, user, address) = (query.Value("client"), query.Value("user"), query.Value("ipAddress"));
        var page = Find(realm, realm.UserEvents, query, includesLastDay: true, stored =>
            (types.Length == 0 || types.Contains(stored.Type))
            && Is(client, stored.ClientId) && Is(user, stored.UserId) && Is(address, stored.IpAddress));
        return Answer.Json(
            [.. page.Select(stored => IsDateOnly ? stored with { Id = null } : stored)], EmulatorJson.AsKeycloak.IReadOnlyListUserEvent);
    }

    private Answer ListAdminEvents(HttpContext context)
    {
        var (realm, _) = access.Require(context, "view-events", "manage-events");
        var query = context.Request.Query;
        var operations = Names(query, "operationTypes", EventTypes.Operations);
        var resources = Names(query, "resourceTypes", EventTypes.Resources);
        var (authRealm, authClient, authUser) = (query.Value("authRealm"), query.Value("authClient"), query.Value("authUser"));
        var (address, path) = (query.Value("authIpAddress"), query.Value("resourcePath"));
        var page = Find(realm, realm.AdminEvents, query, includesLastDay: !IsDateOnly, stored =>
            (operations.Length == 0 || operations.Contains(stored.OperationType))
            && (resources.Length == 0 || resources.Contains(stored.ResourceType))
            && Is(authRealm, stored.AuthDetails.RealmId) && Is(authClient, stored.AuthDetails.ClientId)
            && Is(authUser, stored.AuthDetails.UserId) && Is(address, stored.AuthDetails.IpAddress)
            && (path is null || FileSystemName.MatchesSimpleExpression(path, stored.ResourcePath, ignoreCase: false)));
        return Answer.Json(
            [.. page.Select(stored => IsDateOnly ? stored with { Id = null } : stored)], EmulatorJson.AsKeycloak.IReadOnlyListAdminEvent);
    }

    private IReadOnlyList<TEvent> Find<TEvent>(
        RealmState realm, EventLog<TEvent> log, IQueryCollection query, bool includesLastDay, Func<TEvent, bool> matches)
    {
        var (from, to) = IsDateOnly
            ? (query.LenientDay("dateFrom", "Date(From)"), LastOfDays(query.LenientDay("dateTo", "Date(To)"), includesLastDay))
            : (query.Time("dateFrom", upper: false), query.Time("dateTo", upper: true));
        var ascending = !IsDateOnly && IsAscending(query.Value("direction"));
        var (first, max) = (query.Number("first", 0), query.Number("max", QueryValues.DefaultPage));
        lock (realm.Gate)
            return log.Find(from, to, ascending, matches, Math.Max(0, first), max);
    }

    private static long? LastOfDays(long? day, bool included) => day is { } start ? included ? QueryValues.EndOfDay(start) : start : null;

    private static bool IsAscending(string? direction) => direction switch
    {
        null or "desc" => false,
        "asc" => true,
        _ => throw RefusalException.Error(
            StatusCodes.Status400BadRequest, "Invalid value for sortDirection, expected value is asc or desc"),
    };

    private static string[] Names(IQueryCollection query, string parameter, IReadOnlySet<string> known)
    {
        string[] names = [.. query[parameter].OfType<string>().Where(name => name.Length > 0)];
        return Array.TrueForAll(names, known.Contains) ? names : throw RefusalException.Unknown;
    }

    private static bool Is(string? wanted, string? value) => wanted is null || wanted == value;

    private Answer Wipe(HttpContext context, Action<RealmState> wipe)
    {
        var (realm, _) = access.Require(context, "manage-events");
        lock (realm.Gate)
            wipe(realm);
        return Answer.NoContent;
    }

    /// <summary>Lists the default types one by one, as if they had been chosen.</summary>
    private Answer ReadConfig(HttpContext context)
    {
        var (realm, _) = access.Require(context, "view-events", "manage-events");
        var config = realm.Events;
        return Answer.Json(
            config.EnabledEventTypes.Count == 0 ? config with { EnabledEventTypes = EventTypes.SavedBy(model) } : config,
            EmulatorJson.AsKeycloak.EventsConfig);
    }

    private async Task<Answer> WriteConfigAsync(HttpContext context)
    {
        var (realm, caller) = access.Require(context, "manage-events");
        var body = await EmulatorJson.ReadAsync<JsonObject>(context);
        if (!IsDateOnly && body.Texts("eventsListeners")?.All(IsListener) is false)
            throw RefusalException.Error(StatusCodes.Status400BadRequest, "Unknown event listener");
        var transaction = transactions.Begin(realm, context);
        transaction.RaiseAdmin(caller, "UPDATE", "REALM", "events/config", body);
        await transaction.CommitAsync(() => realm.Events = realm.Events.WithConfig(body, model), context.RequestAborted);
        return Answer.NoContent;
    }

    private bool IsListener(string name) => name is "jboss-logging" or "email" || (sendsWebhooks && name == WebhookSender.Listener);
}
