namespace KeycloakCreditBridge.Provisioning.Accounts;

/// <summary>Why an account is not active, where the bridge itself decided it. Stored in `user_credits.status_reason`.</summary>
/// <remarks>The bridge ends or replaces a status with one of these reasons. Any other status is an operator's.</remarks>
internal static class StatusReasons
{
    private const string Holds = "'disabled', 'account_id_taken'";
    private const string Closings = "'deleted', 'service_account'";

    /// <summary>Of holds, as a list in SQL.</summary>
    public const string OwnHolds = $"({Holds})";

    /// <summary>Of closings, as a list in SQL.</summary>
    public const string OwnClosings = $"({Closings})";

    /// <summary>Of holds and closings, as a list in SQL.</summary>
    public const string Own = $"({Holds}, {Closings})";
}
