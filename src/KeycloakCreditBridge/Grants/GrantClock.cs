namespace KeycloakCreditBridge.Grants;

/// <summary>By which clock ends are compared: the database's, the same for all replicas. Tests give the time themselves.</summary>
internal sealed class GrantClock(Func<DateTimeOffset>? given = null)
{
    /// <summary>Null for the database's own time.</summary>
    public DateTimeOffset? At => given?.Invoke();
}
