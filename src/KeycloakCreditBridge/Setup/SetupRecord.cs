using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace KeycloakCreditBridge.Setup;

/// <summary>
/// What `setup keycloak` changed in a realm, and the values before. An attribute of the bridge's client holds it. It is written before
/// the changes, so that `--undo` finds it after any of them, without a database.
/// </summary>
internal sealed class SetupRecord
{
    /// <summary>The client's attribute.</summary>
    public const string Attribute = "credit-bridge.setup";

    /// <summary>Whether setup created the client itself.</summary>
    public bool CreatedClient { get; set; }

    /// <summary>Roles that the service account was given.</summary>
    public List<string> Roles { get; set; } = [];

    /// <summary>Single settings of the realm, by field.</summary>
    public Dictionary<string, ChangedValue> Settings { get; set; } = [];

    /// <summary>What was added to lists of the realm, by field.</summary>
    public Dictionary<string, List<string>> Added { get; set; } = [];

    /// <summary>Roles that were added to the client's scope.</summary>
    public List<string> Scope { get; set; } = [];

    /// <summary>Keys that were registered, by their ids.</summary>
    public List<string> Keys { get; set; } = [];

    /// <summary>Attributes of the realm that Keycloak itself adds, with its defaults, when the realm is written.</summary>
    public List<string> Defaults { get; set; } = [];

    /// <summary>The address of the webhook that was registered; null when none was.</summary>
    public string? Webhook { get; set; }

    [JsonIgnore]
    public bool IsEmpty =>
        !CreatedClient && Roles.Count == 0 && Scope.Count == 0 && Keys.Count == 0 && Settings.Count == 0 && Added.Count == 0
        && Webhook is null;

    [JsonIgnore]
    public string Text => JsonSerializer.Serialize(this, SetupJson.Default.SetupRecord);

    /// <summary>The record that a client carries; null when it carries none, or one that cannot be read.</summary>
    public static SetupRecord? Of(JsonObject? client)
    {
        if ((string?)client?["attributes"]?[Attribute] is not { Length: > 0 } text)
            return null;
        try
        {
            return JsonSerializer.Deserialize(text, SetupJson.Default.SetupRecord);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Remembers a setting before it changes; the value before the first change stays remembered.</summary>
    public void Remember(string field, string? before, string after) =>
        Settings[field] = new ChangedValue(Settings.TryGetValue(field, out var known) ? known.Before : before, after);

    /// <summary>Remembers what will be added to a list.</summary>
    public void RememberAdded(string field, IEnumerable<string> added) =>
        Added[field] = [.. Added.GetValueOrDefault(field, []).Union(added, StringComparer.Ordinal)];
}

/// <param name="Before">Null where it was not set.</param>
/// <param name="After">The value that setup wrote. A different value now was changed by an administrator.</param>
internal sealed record ChangedValue(string? Before, string After);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SetupRecord))]
internal sealed partial class SetupJson : JsonSerializerContext;
