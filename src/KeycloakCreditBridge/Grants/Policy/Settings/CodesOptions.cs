namespace KeycloakCreditBridge.Grants.Policy.Settings;

/// <summary>Codes that users redeem for credits. They need a key; the limits concern failed attempts alone.</summary>
internal sealed class CodesOptions
{
    /// <summary>
    /// The secret with which codes are hashed, of at least 32 characters; empty where codes are not used. Another key makes all codes
    /// worthless that were made before.
    /// </summary>
    public string Key { get; set; } = "";

    /// <summary>Failed attempts of a user within 15 minutes, after which the user has to wait.</summary>
    public int FailuresPerUser { get; set; } = 5;

    /// <summary>Failed attempts from a /24 or /64 within 15 minutes, after which further failures are answered 429.</summary>
    public int FailuresPerNetwork { get; set; } = 20;

    /// <summary>Failed attempts in a realm within an hour, after which further failures are answered 429.</summary>
    public int FailuresPerRealm { get; set; } = 60;
}
