namespace KeycloakCreditBridge.Provisioning.Accounts.Renames;

/// <summary>One account that is to get another id.</summary>
/// <param name="ReadAt">When Keycloak was asked for it; null when an earlier reading waits for it.</param>
internal sealed record Rename(string Realm, string KeycloakId, string FromId, string ToId, string Source, DateTimeOffset? ReadAt);

/// <summary>Finds out which renames can be made together.</summary>
internal static class RenameOrder
{
    /// <summary>Those whose new id is free, or left by another one of them: chains and circles are possible, two for one id are not.</summary>
    /// <param name="wanted">One a user and one an account.</param>
    /// <param name="used">All the ids of them that are in use.</param>
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
