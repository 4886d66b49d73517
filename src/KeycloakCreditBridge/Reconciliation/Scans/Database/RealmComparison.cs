using KeycloakCreditBridge.Keycloak.Database;

namespace KeycloakCreditBridge.Reconciliation.Scans.Database;

/// <summary>Finds the buckets of a realm's users in which Keycloak's database and the record differ: the others need no reading.</summary>
internal sealed class RealmComparison(KeycloakDatabaseStore keycloak, KnownStreamStore known)
{
    // Where so large a part differs, picking its users out of all costs more than reading all.
    private const int DenseShare = 8;

    /// <summary>Sums both sides up at the same time.</summary>
    public async Task<ComparedRealm> CompareAsync(string realm, CancellationToken cancellationToken)
    {
        var (asking, telling) = (keycloak.DigestAsync(realm, cancellationToken), known.DigestAsync(realm, cancellationToken));
        await Task.WhenAll(asking, telling);
        var (users, records) = (await asking, (await telling).ToDictionary(record => record.Bucket));
        var same = users.Where(bucket => records.TryGetValue(bucket.Bucket, out var record) && record.Sum == bucket.Sum && record.Accounts == 0).ToList();
        long[] differing = [.. users.Select(bucket => bucket.Bucket).Union(records.Keys).Except(same.Select(bucket => bucket.Bucket))];
        var people = users.Sum(bucket => bucket.People);
        return differing.Length * DenseShare > users.Count
            ? new ComparedRealm(people, 0, null)
            : new ComparedRealm(people, same.Sum(bucket => bucket.People), differing);
    }
}

/// <param name="Users">All people of the realm, as far as they are in Keycloak's tables.</param>
/// <param name="Unchanged">People in the buckets that need no reading.</param>
/// <param name="Differing">The buckets that do; null for all of them.</param>
internal sealed record ComparedRealm(long Users, long Unchanged, IReadOnlyList<long>? Differing);
