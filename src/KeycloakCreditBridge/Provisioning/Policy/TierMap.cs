namespace KeycloakCreditBridge.Provisioning.Policy;

/// <summary>Maps what Keycloak knows of a user to a tier.</summary>
internal sealed class TierMap(TierFromOptions from, IReadOnlyDictionary<string, TierOptions> tiers)
{
    /// <summary>The attribute whose value is a tier's name; empty when there is none.</summary>
    public string Attribute => from.Attribute;

    public bool NeedsGroups => from.Groups.Count > 0;

    public bool NeedsRealmRoles => from.RealmRoles.Count > 0;

    /// <summary>Whether accounts follow Keycloak at all.</summary>
    public bool IsFollowed => Attribute.Length > 0 || NeedsGroups || NeedsRealmRoles;

    /// <summary>The mapped tier; null where the user was not read in full.</summary>
    public TierFromKeycloak? Of(Subject user)
    {
        if (!IsFollowed || (Attribute.Length > 0 && user.Attributes is null)
            || (NeedsGroups && user.Groups is null) || (NeedsRealmRoles && user.RealmRoles is null))
            return null;
        var values = Attribute.Length > 0 ? user.Attributes?.GetValueOrDefault(Attribute) ?? [] : [];
        if (values.FirstOrDefault(tiers.ContainsKey) is { } named)
            return new(named, null);
        var tier = from.Groups.Find(group => user.Groups!.Any(path => IsIn(path, group.Path)))?.Tier
            ?? from.RealmRoles.Find(role => user.RealmRoles!.Contains(role.Name, StringComparer.Ordinal))?.Tier;
        return new(tier, values.FirstOrDefault(value => value.Length > 0));
    }

    private static bool IsIn(string path, string group) =>
        path.StartsWith(group, StringComparison.Ordinal) && (path.Length == group.Length || path[group.Length] == '/');
}

/// <summary>The tier of a user by the rules of the mapping.</summary>
/// <param name="Tier">Null when no rule matches.</param>
/// <param name="Unknown">The attribute's value where it is no tier.</param>
internal sealed record TierFromKeycloak(string? Tier, string? Unknown);
