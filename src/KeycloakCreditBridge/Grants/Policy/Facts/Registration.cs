namespace KeycloakCreditBridge.Grants.Policy.Facts;

/// <summary>How a user registered, as Keycloak stored it; without anything where it stored no such event.</summary>
/// <param name="Client">The client through which the user registered.</param>
/// <param name="Attribution">What stood in the address to return to: a claim that any user can make.</param>
internal sealed record Registration(string? Client, Attribution? Attribution)
{
    public static readonly Registration Unknown = new(null, null);
}
