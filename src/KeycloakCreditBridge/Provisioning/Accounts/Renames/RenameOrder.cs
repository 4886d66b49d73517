namespace KeycloakCreditBridge.Provisioning.Accounts.Renames;

/// <summary>An account that has to get another id.</summary>
/// <param name="ReadAt">When Keycloak was read; null where an earlier reading waits for the id.</param>
internal sealed record Rename(string Realm, string KeycloakId, string FromId, string ToId, string Source, DateTimeOffset? ReadAt);

/// <summary>Finds out which renames can be made together.</summary>
internal static class RenameOrder
{
    /// <summary>
    /// Those whose new id is free or given up by another one of them. Chains and swaps are possible, two for one id are not.
    /// </summary>
    /// <param name="wanted">At most one for each user and each account.</param>
    /// <param name="used">Those of their ids that are in use.</param>
    public static IReadOnlyList<Rename> Possible(IEnumerable<Rename> wanted, IReadOnlySet<string> used)
    {
        List<Rename> possible = [.. wanted.DistinctBy(item => item.ToId, StringComparer.Ordinal)];
        HashSet<string> left;
        do
        {
            left = possible.Select(item => item.FromId).ToHashSet(StringComparer.Ordinal);
        }
        while (possible.RemoveAll(item => used.Contains(item.ToId) && !left.Contains(item.ToId)) > 0);
        return possible;
    }
}
