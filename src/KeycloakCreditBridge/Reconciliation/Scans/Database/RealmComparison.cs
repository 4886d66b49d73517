using KeycloakCreditBridge.Keycloak.Database;

namespace KeycloakCreditBridge.Reconciliation.Scans.Database;

/// <summary>Finds the buckets of a realm's users in which Keycloak's database and the records differ: only those are read.</summary>
internal sealed class RealmComparison(KeycloakDatabaseStore keycloak, KnownStreamStore known)
{
    // Where so large a part differs, reading all users costs less than selecting some.
    private const int DenseShare = 8;

    /// <summary>Sums up both sides at the same time.</summary>
    public async Task<ComparedRealm> CompareAsync(string realm, CancellationToken cancellationToken)
    {
        var (asking, telling) = (keycloak.DigestAsync(realm, cancellationToken), known.DigestAsync(realm, cancellationToken));
        await Task.WhenAll(asking, telling);
        var (users, records) = (await asking, (await telling).ToDictionary(record => record.Bucket));
        var same = users.Where(
            bucket => records.TryGetValue(bucket.Bucket, out var record) && record.Sum == bucket.Sum && record.Accounts == 0).ToList();
        long[] differing = [.. users.Select(bucket => bucket.Bucket).Union(records.Keys).Except(same.Select(bucket => bucket.Bucket))];
        var total = users.Sum(bucket => bucket.Users);
        return differing.Length * DenseShare > users.Count
            ? new ComparedRealm(total, 0, null)
            : new ComparedRealm(total, same.Sum(bucket => bucket.Users), differing);
    }
}

/// <param name="Users">All users of the realm in Keycloak's tables.</param>
/// <param name="Unchanged">Users in the buckets that are not read.</param>
/// <param name="Differing">The buckets that are read; null for all of them.</param>
internal sealed record ComparedRealm(long Users, long Unchanged, IReadOnlyList<long>? Differing);
