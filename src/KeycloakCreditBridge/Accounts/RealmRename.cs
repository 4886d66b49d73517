namespace KeycloakCreditBridge.Accounts;

/// <summary>What a realm's new name moved, or would move.</summary>
/// <param name="Moved">Rows of the old name by table, without tables that have none.</param>
/// <param name="OnRecord">Users that the new name had on record already.</param>
/// <param name="InCommon">Those of them that the old name has too: runs under the new name recorded them.</param>
/// <param name="Second">Accounts that were opened a second time under the new name.</param>
internal sealed record RealmRename(
    IReadOnlyList<MovedRows> Moved, long OnRecord, long InCommon, IReadOnlyList<SecondAccount> Second)
{
    /// <summary>Whether the new name has users, and none of the old name's: two realms, not one with two names.</summary>
    public bool AreTwoRealms => OnRecord > 0 && InCommon == 0;
}

/// <param name="Relation">A table.</param>
/// <param name="Moved">How many of its rows.</param>
internal sealed record MovedRows(string Relation, long Moved);

/// <summary>An account that a user got under the realm's new name beside the one of the old name.</summary>
/// <param name="AccountId">Its id.</param>
/// <param name="KeptId">The account of the old name, which the user keeps.</param>
/// <param name="Balance">Credits in it; they stay there.</param>
/// <param name="Used">Whether its ledger has more than grants.</param>
internal sealed record SecondAccount(string AccountId, string KeptId, decimal Balance, bool Used);
