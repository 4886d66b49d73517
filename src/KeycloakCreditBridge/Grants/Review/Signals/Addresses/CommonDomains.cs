using System.Collections.Concurrent;
using KeycloakCreditBridge.Grants.Review.Signals.Domains;
using KeycloakCreditBridge.Grants.Review.Signals.Hashes;

namespace KeycloakCreditBridge.Grants.Review.Signals.Addresses;

/// <summary>
/// Domains so common that many users of one at a time mean nothing: well-known providers, and those of the realm's users.
/// </summary>
internal sealed class CommonDomains(RegistrationStore store, SignalHasher hasher, TimeProvider clock)
{
    // A burst makes no domain common: it must have been so a day before.
    private static readonly TimeSpan Settled = TimeSpan.FromDays(1);
    private static readonly TimeSpan Freshness = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<string, (long ReadAt, HashSet<string> Hashes)> _read = new(StringComparer.Ordinal);

    /// <summary>Tells of each domain of a realm whether it is common.</summary>
    public async ValueTask<Func<string, bool>> OfAsync(string realm, CancellationToken cancellationToken)
    {
        if (!_read.TryGetValue(realm, out var known) || clock.GetElapsedTime(known.ReadAt) > Freshness)
        {
            var hashes = await store.CommonDomainsAsync(realm, clock.GetUtcNow() - Settled, cancellationToken);
            known = (clock.GetTimestamp(), hashes.ToHashSet(StringComparer.Ordinal));
            _read[realm] = known;
        }

        return domain => KnownDomains.Common.Has(domain)
            || known.Hashes.Contains(Convert.ToHexStringLower(hasher.Of(SignalKinds.Domain, domain)!));
    }
}
