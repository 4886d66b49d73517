using System.Collections.Concurrent;

namespace KeycloakCreditBridge.Grants.Awards;

/// <summary>
/// Activates policies when they are first needed. It waits until no replica of an older program runs, which would pay at a period's end
/// what a policy withholds. Until then accounts open as without a policy.
/// </summary>
internal sealed partial class PolicyActivation(PolicyStore store, TimeProvider clock, ILogger<PolicyActivation> logger)
{
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<(string Realm, string Policy), bool> _active = new();
    private readonly ConcurrentDictionary<(string Realm, string Policy), DateTimeOffset> _asked = new();

    private volatile ReadPolicies? _policies;

    /// <summary>Since when policies of the realm are active, by name; activates what never was. Disabled ones are left out.</summary>
    public async Task<IReadOnlyDictionary<string, DateTimeOffset>> ActiveAsync(
        string realm, IEnumerable<string> policies, CancellationToken cancellationToken)
    {
        var wasActivated = false;
        foreach (var policy in policies.Where(policy => !_active.ContainsKey((realm, policy))))
            wasActivated |= await IsActiveAsync(realm, policy, cancellationToken);
        if (_policies is not { } read || wasActivated || clock.GetElapsedTime(read.At) > Freshness)
            _policies = read = new(clock.GetTimestamp(), (await store.ListAsync(cancellationToken)).ToLookup(policy => policy.Realm));
        return read.ByRealm[realm].Where(policy => policy.DisabledAt is null)
            .ToDictionary(policy => policy.Policy, policy => policy.ActivatedAt, StringComparer.Ordinal);
    }

    /// <summary>Whether the policy is active in the realm; activates it if nothing stands against it.</summary>
    /// <param name="realm">Where.</param>
    /// <param name="policy">Such as `welcome`.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <param name="migration">The migration without which a replica stands against it.</param>
    public async ValueTask<bool> IsActiveAsync(
        string realm, string policy, CancellationToken cancellationToken, int migration = PolicyStore.Migration)
    {
        if (_active.ContainsKey((realm, policy)))
            return true;
        var now = clock.GetUtcNow();
        if (_asked.TryGetValue((realm, policy), out var last) && now - last < RetryPause)
            return false;
        var older = await store.ActivateAsync(realm, policy, migration, now, cancellationToken);
        if (older.Count > 0)
        {
            _asked[(realm, policy)] = now;
            LogWaits(policy, realm, string.Join(", ", older.Select(replica => $"{replica.Id} ({replica.Version})")));
            return false;
        }

        if (_active.TryAdd((realm, policy), true))
            LogActive(policy, realm);
        return true;
    }

    private sealed record ReadPolicies(long At, ILookup<string, ActivePolicy> ByRealm);

    [LoggerMessage(EventId = 1040, Level = LogLevel.Information, Message = "Policy {Policy} is active in realm {Realm}.")]
    private partial void LogActive(string policy, string realm);

    [LoggerMessage(EventId = 1041, Level = LogLevel.Warning,
        Message = "Policy {Policy} is not active in realm {Realm} and accounts open as without it, until these replicas of an older "
            + "program are stopped: {Replicas}")]
    private partial void LogWaits(string policy, string realm, string replicas);
}
