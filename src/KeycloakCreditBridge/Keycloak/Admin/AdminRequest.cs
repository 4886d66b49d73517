namespace KeycloakCreditBridge.Keycloak.Admin;

/// <summary>One GET below a realm of the Admin API.</summary>
/// <param name="Resource">First segments of the path, which name it in messages, for example users/count.</param>
/// <param name="Role">The role that it needs.</param>
/// <param name="Suffix">The rest of the path and the query, escaped.</param>
internal sealed record AdminRequest(string Resource, string Role, string Suffix = "")
{
    public const string ViewUsers = "view-users";
    public const string ViewEvents = "view-events";

    public bool ReadsEvents => Resource is "events" or "admin-events";

    public string Path => Resource + Suffix;

    /// <summary>How messages name it; the rest is left out, as it may hold a person's name.</summary>
    public override string ToString() => $"GET {Resource}";
}
