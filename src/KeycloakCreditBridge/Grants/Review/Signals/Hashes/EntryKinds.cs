namespace KeycloakCreditBridge.Grants.Review.Signals.Hashes;

/// <summary>What an operator's entry concerns. Stored in `fraud_entries.kind`.</summary>
internal static class EntryKinds
{
    public const string Domain = "domain";
    public const string Address = "address";
}
