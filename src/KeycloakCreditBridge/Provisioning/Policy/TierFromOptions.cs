namespace KeycloakCreditBridge.Provisioning.Policy;

/// <summary>What in Keycloak says which tier a user has: the attribute first, then the groups, then the roles, each in the order of its list.</summary>
internal sealed class TierFromOptions
{
    /// <summary>A user attribute whose value is a tier's name; none when empty.</summary>
    public string Attribute { get; set; } = "";

    /// <summary>Groups whose members have a tier, those of their subgroups too.</summary>
    public List<GroupTierOptions> Groups { get; set; } = [];

    /// <summary>Realm roles that come with a tier, however they are given.</summary>
    public List<RoleTierOptions> RealmRoles { get; set; } = [];
}

/// <summary>The tier of a group's members.</summary>
internal sealed class GroupTierOptions
{
    /// <summary>The group's path, as Keycloak writes it: `/customers/gold`.</summary>
    public string Path { get; set; } = "";

    public string Tier { get; set; } = "";
}

/// <summary>The tier of whoever has a realm role.</summary>
internal sealed class RoleTierOptions
{
    public string Name { get; set; } = "";

    public string Tier { get; set; } = "";
}
