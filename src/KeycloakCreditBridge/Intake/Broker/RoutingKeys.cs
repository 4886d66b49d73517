using System.Text.RegularExpressions;
using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Intake.Broker;

/// <summary>
/// The routing keys that Keycloak's plugins publish under. They name the realm, less exactly than its name does: aznamier's plugin leaves
/// out dots and special characters and writes spaces as underscores.
/// </summary>
internal sealed partial class RoutingKeys(IReadOnlyList<RealmOptions> realms)
{
    private static readonly string[] Prefixes = ["KK.EVENT.ADMIN.", "KK.EVENT.CLIENT.", "KC_CLIENT."];

    private readonly Dictionary<string, RealmOptions> _realms = realms.ToDictionary(NameOf, StringComparer.Ordinal);

    /// <summary>What the queue is bound by: all events of the configured realms.</summary>
    public IEnumerable<string> Patterns =>
        from name in _realms.Keys
        from prefix in Prefixes
        select $"{prefix}{name}.#";

    /// <summary>The part of a key that stands for the realm.</summary>
    public static string NameOf(RealmOptions realm) => realm.BrokerName is { Length: > 0 } given
        ? given
        : Unwritten().Replace(realm.Name, "").Replace(' ', '_');

    /// <summary>The configured realm that a key names, or null.</summary>
    public RealmOptions? RealmIn(string key)
    {
        foreach (var prefix in Prefixes)
        {
            if (!key.StartsWith(prefix, StringComparison.Ordinal))
                continue;
            var rest = key[prefix.Length..];
            var end = rest.IndexOf('.', StringComparison.Ordinal);
            return _realms.GetValueOrDefault(end < 0 ? rest : rest[..end]);
        }

        return null;
    }

    [GeneratedRegex("[^*#a-zA-Z0-9 _-]", RegexOptions.CultureInvariant)]
    private static partial Regex Unwritten();
}
