namespace KeycloakCreditBridge.Keycloak;

/// <summary>Keycloak's own PostgreSQL, read directly: a hundred times faster than its API, and dependent on Keycloak's tables.</summary>
internal sealed class KeycloakDatabaseOptions
{
    public const string Section = "Keycloak:Database";

    /// <summary>Npgsql connection string of Keycloak's database, as a role that may only read. Without it the API is used.</summary>
    public string? ConnectionString { get; set; }

    /// <summary>Password; wins over the one in the connection string, so that it can come from a file of its own.</summary>
    public string? Password { get; set; }
}
