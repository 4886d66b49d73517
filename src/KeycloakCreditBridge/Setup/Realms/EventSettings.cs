using System.Globalization;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Keycloak.Events;

namespace KeycloakCreditBridge.Setup.Realms;

/// <summary>
/// The event settings of a realm, changed as fields of the realm itself. An empty list of types stays empty that way; events/config would
/// replace it by the present defaults.
/// </summary>
internal static class EventSettings
{
    private const string ForUsers = "eventsEnabled";
    private const string ForAdmins = "adminEventsEnabled";
    private const string Retention = "eventsExpiration";
    private const string Types = "enabledEventTypes";
    private const string Listeners = "eventsListeners";
    private const string Attributes = "attributes";

    // Keycloak stores them with whatever else is written, and no write removes them again. The realm master is made without them.
    private static readonly string[] KeycloaksDefaults = ["oauth2DeviceCodeLifespan", "oauth2DevicePollingInterval"];

    /// <summary>What is to be written, null when all is right; the values before go into the record.</summary>
    /// <param name="realm">The realm as Keycloak has it.</param>
    /// <param name="retention">How long events are kept at least.</param>
    /// <param name="listens">Whether the listener that sends webhooks is wanted.</param>
    /// <param name="record">Takes the values before.</param>
    /// <param name="lines">Takes a line for each change.</param>
    public static JsonObject? Plan(JsonObject realm, TimeSpan retention, bool listens, SetupRecord record, List<string> lines)
    {
        var name = (string?)realm["realm"];
        var seconds = ((long)retention.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        var body = new JsonObject();
        var (users, admins) = (Flag(realm, ForUsers), Flag(realm, ForAdmins));

        // Where no events are stored yet, none are deleted earlier, and the table must not grow for ever.
        if (TooShort((long?)realm[Retention] ?? 0, retention, isStored: users))
        {
            Set(Retention, Number(realm[Retention]), seconds, JsonValue.Create((long)retention.TotalSeconds));
            lines.Add($"~ user events in realm {name}: kept for {retention.TotalDays} days{Before(Number(realm[Retention]))}");
        }

        var kept = (string?)realm[Attributes]?[RealmRequirements.AdminRetention];
        if (TooShort(Seconds(kept), retention, isStored: admins))
        {
            record.Remember(RealmRequirements.AdminRetention, kept, seconds);
            WriteAttribute(realm, body, seconds);
            lines.Add($"~ admin events in realm {name}: kept for {retention.TotalDays} days{Before(kept)}");
        }

        if (!users)
        {
            Set(ForUsers, "false", "true", JsonValue.Create(true));
            lines.Add($"+ user events are stored in realm {name}");
        }

        if (!admins)
        {
            Set(ForAdmins, "false", "true", JsonValue.Create(true));
            lines.Add($"+ admin events are stored in realm {name}");
        }

        var types = Texts(realm, Types);
        if (types.Count > 0)
            Add(Types, types, UserEventTypes.Names, "event types");
        if (listens)
            Add(Listeners, Texts(realm, Listeners), [RealmRequirements.Listener], "event listener");
        if (body.Count == 0)
            return null;
        record.Defaults = [
            .. record.Defaults.Union(KeycloaksDefaults.Where(attribute => realm[Attributes]?[attribute] is null), StringComparer.Ordinal)];
        return body;

        void Set(string field, string? before, string after, JsonNode value)
        {
            record.Remember(field, before, after);
            body[field] = value;
        }

        void Add(string field, IReadOnlyList<string> there, IEnumerable<string> wanted, string what)
        {
            string[] missing = [.. wanted.Except(there, StringComparer.Ordinal)];
            if (missing.Length == 0)
                return;
            record.RememberAdded(field, missing);
            body[field] = Array(there.Concat(missing));
            lines.Add($"+ {what} {string.Join(", ", missing)} in realm {name}");
        }
    }

    /// <summary>What restores the values in the record, null when all are restored. Values changed since setup stay.</summary>
    public static JsonObject? Undo(JsonObject realm, SetupRecord record, List<string> lines, List<string> notes)
    {
        var name = (string?)realm["realm"];
        var body = new JsonObject();
        foreach (var (field, (before, after)) in record.Settings)
        {
            var isAttribute = field == RealmRequirements.AdminRetention;
            var now = isAttribute ? (string?)realm[Attributes]?[field] : Number(realm[field]);
            if (now == before || (before is null && now is null or "0"))
                continue;
            if (now != after)
            {
                notes.Add($"{field} of realm {name} is {now ?? "not set"} by now and stays: setup had set it to {after}");
                continue;
            }

            if (isAttribute)
                WriteAttribute(realm, body, before);
            else
                body[field] = before is null ? JsonValue.Create(0L) : JsonNode.Parse(before);
            lines.Add($"~ {field} of realm {name}: {before ?? "not set"} again");
        }

        foreach (var (field, added) in record.Added)
        {
            var there = Texts(realm, field);
            string[] left = [.. there.Except(added, StringComparer.Ordinal)];
            if (left.Length == there.Count)
                continue;
            body[field] = Array(left);
            lines.Add($"- {string.Join(", ", there.Intersect(added, StringComparer.Ordinal))} from {field} of realm {name}");
        }

        if (record.Defaults.Count > 0)
            notes.Add(
                $"the attributes {string.Join(" and ", record.Defaults)} of realm {name} stay: Keycloak adds them, with the values that "
                + "hold without them, to a realm that is written");
        return body.Count == 0 ? null : body;
    }

    private static bool TooShort(long seconds, TimeSpan retention, bool isStored) =>
        seconds > 0 ? seconds < (long)retention.TotalSeconds : !isStored;

    private static void WriteAttribute(JsonObject realm, JsonObject body, string? value)
    {
        var attributes = realm[Attributes]?.DeepClone() as JsonObject ?? [];
        attributes.Remove(RealmRequirements.AdminRetention);
        if (value is not null)
            attributes[RealmRequirements.AdminRetention] = value;
        body[Attributes] = attributes;
    }

    private static bool Flag(JsonObject realm, string field) => (bool?)realm[field] ?? false;

    private static string? Number(JsonNode? value) => value?.ToJsonString();

    private static long Seconds(string? text) =>
        long.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out var seconds) ? seconds : 0;

    private static string Before(string? seconds) => seconds is null or "0" ? "" : $" (before: {seconds} s)";

    private static List<string> Texts(JsonObject realm, string field) =>
        [.. (realm[field] as JsonArray ?? []).Select(text => (string?)text ?? "")];

    private static JsonArray Array(IEnumerable<string> texts) => [.. texts.Select(text => (JsonNode?)JsonValue.Create(text))];
}
