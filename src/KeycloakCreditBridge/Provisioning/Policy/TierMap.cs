namespace KeycloakCreditBridge.Provisioning.Policy;

/// <summary>Finds out which tier Keycloak says that a person has.</summary>
internal sealed class TierMap(TierFromOptions from, IReadOnlyDictionary<string, TierOptions> tiers)
{
    /// <summary>The attribute that says a tier; empty when none does.</summary>
    public string Attribute => from.Attribute;

    public bool NeedsGroups => from.Groups.Count > 0;

    public bool NeedsRealmRoles => from.RealmRoles.Count > 0;

    /// <summary>Whether there is anything to follow.</summary>
    public bool IsFollowed => Attribute.Length > 0 || NeedsGroups || NeedsRealmRoles;

    /// <summary>What Keycloak says of a person; null where not all was read that may say something.</summary>
    public TierFromKeycloak? Of(Subject person)
    {
        if (!IsFollowed || (Attribute.Length > 0 && person.Attributes is null) || (NeedsGroups && person.Groups is null) || (NeedsRealmRoles && person.RealmRoles is null))
            return null;
        var values = Attribute.Length > 0 ? person.Attributes?.GetValueOrDefault(Attribute) ?? [] : [];
        if (values.FirstOrDefault(tiers.ContainsKey) is { } said)
            return new(said, null);
        var tier = from.Groups.Find(group => person.Groups!.Any(path => IsIn(path, group.Path)))?.Tier
            ?? from.RealmRoles.Find(role => person.RealmRoles!.Contains(role.Name, StringComparer.Ordinal))?.Tier;
        return new(tier, values.FirstOrDefault(value => value.Length > 0));
    }

    private static bool IsIn(string path, string group) =>
        path.StartsWith(group, StringComparison.Ordinal) && (path.Length == group.Length || path[group.Length] == '/');
}

/// <summary>What Keycloak says of somebody's tier.</summary>
/// <param name="Tier">Null when it says none.</param>
/// <param name="Unknown">What the attribute says where that is no tier.</param>
internal sealed record TierFromKeycloak(string? Tier, string? Unknown);
