namespace KeycloakCreditBridge.Grants.Policy.Settings;

/// <summary>Names of what a policy can require.</summary>
internal static class Requirements
{
    /// <summary>The user has an address, and Keycloak says that it is verified.</summary>
    public const string EmailVerified = "email_verified";

    /// <summary>Required where an address or inbox counts once: no other account was paid for it. It cannot be configured.</summary>
    public const string UnusedAddress = "unused_address";

    /// <summary>The welcome, and the policy that gives it.</summary>
    public const string Welcome = "welcome";

    /// <summary>Required of every redemption of a code: the account is not held. It cannot be configured.</summary>
    public const string ActiveAccount = "active_account";

    public static readonly IReadOnlyList<string> Known = [EmailVerified];
}
