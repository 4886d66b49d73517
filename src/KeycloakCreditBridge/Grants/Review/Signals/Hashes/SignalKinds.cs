namespace KeycloakCreditBridge.Grants.Review.Signals.Hashes;

/// <summary>What hashes stand for.</summary>
internal static class SignalKinds
{
    public const string Domain = "domain";
    public const string Inbox = "inbox";
    public const string Series = "series";
}
