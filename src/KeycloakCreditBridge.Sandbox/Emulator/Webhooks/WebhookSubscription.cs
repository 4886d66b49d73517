using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Tokens;

namespace KeycloakCreditBridge.Sandbox.Emulator.Webhooks;

/// <summary>A webhook of Phase Two's <c>ext-event-webhook</c>, always signed with HMAC when it has a secret.</summary>
/// <param name="CreatedAt">Milliseconds since 1970.</param>
internal sealed record WebhookSubscription(
    string Id,
    bool Enabled,
    string Url,
    string? Secret,
    string Algorithm,
    IReadOnlyList<string> EventTypes,
    string CreatedBy,
    long CreatedAt)
{
    public static WebhookSubscription From(JsonObject body, Caller caller, long now) =>
        new WebhookSubscription(Guid.NewGuid().ToString(), false, "", null, "HmacSHA256", [], caller.UserId, now).With(body);

    /// <summary>The subscription after a write; the plugin keeps a secret that the body does not name.</summary>
    public WebhookSubscription With(JsonObject body) => this with
    {
        Enabled = body.Flag("enabled") ?? false,
        Url = body.Text("url") ?? throw RefusalException.Error(StatusCodes.Status400BadRequest, "url cannot be empty"),
        Secret = body.Text("secret") ?? Secret,
        Algorithm = body.Text("algorithm") ?? Algorithm,
        EventTypes = body.Texts("eventTypes") ?? [],
    };

    /// <summary>Whether a type such as <c>access.REGISTER</c> is wanted: all are, or it by name, or a pattern matches it in full.</summary>
    public bool Wants(string type) => Enabled && EventTypes.Any(wanted => wanted is "*" || wanted == type || Matches(wanted, type));

    public JsonObject ToJson(string realm) => new()
    {
        ["id"] = Id,
        ["enabled"] = Enabled,
        ["url"] = Url,
        ["createdBy"] = CreatedBy,
        ["createdAt"] = CreatedAt,
        ["realm"] = realm,
        ["eventTypes"] = new JsonArray([.. EventTypes.Select(type => JsonValue.Create(type))]),
    };

    private static bool Matches(string wanted, string type)
    {
        try
        {
            return Regex.IsMatch(type, $"^(?:{wanted})$", RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
        }
        catch (RegexParseException)
        {
            return false;
        }
    }
}
