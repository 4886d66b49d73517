using System.Collections.Concurrent;

namespace KeycloakCreditBridge.Keycloak.Admin;

/// <summary>
/// Finds what a server can do by giving it malformed values: one that knows the parameter refuses them with 400, an older one answers
/// 200 and ignores them. Any other answer decides nothing and is thrown.
/// </summary>
internal sealed class CapabilityProbe(AdminTransport transport, TimeProvider clock)
{
    private static readonly TimeSpan CacheDuration = TimeSpan.FromHours(1);
    private static readonly AdminRequest Direction = new("events", AdminRequest.ViewEvents, "?max=0&direction=up");

    private static readonly AdminRequest CreatedAfter =
        new("users", AdminRequest.ViewUsers, "?max=0&briefRepresentation=true&createdAfter=abc");

    private readonly ConcurrentDictionary<(string Realm, string Resource), (bool Found, DateTimeOffset Until)> _known = new();

    public async Task<ServerCapabilities> FindAsync(string realm, CancellationToken cancellationToken) => new(
        OrderedEvents: await ProbeAsync(realm, Direction, cancellationToken),
        CreatedWindows: await HasCreatedWindowsAsync(realm, cancellationToken));

    /// <summary>Whether users are found by when they were created. This needs no role for events.</summary>
    public Task<bool> HasCreatedWindowsAsync(string realm, CancellationToken cancellationToken) =>
        ProbeAsync(realm, CreatedAfter, cancellationToken);

    /// <summary>Has the next caller probe again, since an answer did not fit what was found.</summary>
    public void Forget(string realm)
    {
        _known.TryRemove((realm, Direction.Resource), out _);
        _known.TryRemove((realm, CreatedAfter.Resource), out _);
    }

    private async Task<bool> ProbeAsync(string realm, AdminRequest probe, CancellationToken cancellationToken)
    {
        var key = (realm, probe.Resource);
        if (_known.TryGetValue(key, out var entry) && clock.GetUtcNow() < entry.Until)
            return entry.Found;
        var found = await transport.AskAsync(realm, probe, response => response.RejectsValue(), cancellationToken);
        _known[key] = (found, clock.GetUtcNow() + CacheDuration);
        return found;
    }
}
