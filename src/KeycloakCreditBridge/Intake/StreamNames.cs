namespace KeycloakCreditBridge.Intake;

/// <summary>The two streams of events that Keycloak stores for a realm, as records, metrics and logs name them.</summary>
internal static class StreamNames
{
    public const string Users = "user-events";
    public const string Admins = "admin-events";

    public static readonly string[] All = [Users, Admins];
}
