using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace KeycloakCreditBridge.Setup.Webhooks;

/// <summary>A webhook as Phase Two's plugin lists it, without its secret.</summary>
internal sealed record RegisteredWebhook(string Id, string Url, bool Enabled, IReadOnlyList<string> EventTypes)
{
    private static readonly TimeSpan MatchTimeout = TimeSpan.FromSeconds(1);

    public static RegisteredWebhook From(JsonObject webhook) => new(
        (string?)webhook["id"] ?? "",
        (string?)webhook["url"] ?? "",
        (bool?)webhook["enabled"] ?? false,
        [.. (webhook["eventTypes"] as JsonArray ?? []).Select(type => (string?)type ?? "")]);

    /// <summary>Types of <see cref="RealmRequirements.DeliveryTypes"/> that it does not send.</summary>
    public IEnumerable<string> MissingTypes =>
        RealmRequirements.DeliveryTypes.Where(type => !EventTypes.Any(pattern => Matches(pattern, type)));

    /// <summary>Whether it leads to this realm's path of a bridge, at any address.</summary>
    public bool LeadsToBridge(string realm) =>
        Uri.TryCreate(Url, UriKind.Absolute, out var address)
        && (address.AbsolutePath.EndsWith(RealmRequirements.WebhookPath(realm), StringComparison.Ordinal)
            || address.AbsolutePath.EndsWith(RealmRequirements.SharedWebhookPath, StringComparison.Ordinal));

    // The plugin takes a name, a star or a Java expression that has to match in full.
    private static bool Matches(string pattern, string type)
    {
        try
        {
            return pattern is "*" || pattern == type
                || Regex.IsMatch(type, $"^(?:{pattern})$", RegexOptions.CultureInvariant, MatchTimeout);
        }
        catch (Exception exception) when (exception is ArgumentException or RegexMatchTimeoutException)
        {
            return false;
        }
    }
}
