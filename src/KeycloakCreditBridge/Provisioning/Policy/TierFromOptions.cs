namespace KeycloakCreditBridge.Provisioning.Policy;

/// <summary>
/// How a user's tier follows from Keycloak: from the attribute, else from the groups, else from the roles, each in list order.
/// </summary>
internal sealed class TierFromOptions
{
    /// <summary>A user attribute whose value is a tier's name; none when empty.</summary>
    public string Attribute { get; set; } = "";

    /// <summary>Groups whose members have a tier, those of their subgroups too.</summary>
    public List<GroupTierOptions> Groups { get; set; } = [];

    /// <summary>Realm roles that give a tier, assigned directly or inherited.</summary>
    public List<RoleTierOptions> RealmRoles { get; set; } = [];
}

/// <summary>The tier of a group's members.</summary>
internal sealed class GroupTierOptions
{
    /// <summary>The group's path, as Keycloak writes it: `/customers/gold`.</summary>
    public string Path { get; set; } = "";

    public string Tier { get; set; } = "";
}

/// <summary>The tier of users with a realm role.</summary>
internal sealed class RoleTierOptions
{
    public string Name { get; set; } = "";

    public string Tier { get; set; } = "";
}
