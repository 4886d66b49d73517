using System.Collections.Concurrent;

namespace KeycloakCreditBridge.Keycloak;

/// <summary>
/// Finds what a server can do by giving it malformed values: one that knows the parameter refuses them with 400, an older one answers
/// 200 and ignores them. Any other answer decides nothing and is thrown.
/// </summary>
internal sealed class CapabilityProbe(AdminApi api, TimeProvider clock)
{
    private static readonly TimeSpan GoodFor = TimeSpan.FromHours(1);
    private static readonly AdminQuestion Direction = new("events", AdminQuestion.ViewEvents, "?max=0&direction=up");

    private static readonly AdminQuestion CreatedAfter =
        new("users", AdminQuestion.ViewUsers, "?max=0&briefRepresentation=true&createdAfter=abc");

    private readonly ConcurrentDictionary<string, (ServerCapabilities Found, DateTimeOffset Until)> _known = new(StringComparer.Ordinal);

    public async Task<ServerCapabilities> FindAsync(string realm, CancellationToken cancellationToken)
    {
        if (_known.TryGetValue(realm, out var entry) && clock.GetUtcNow() < entry.Until)
            return entry.Found;
        var found = new ServerCapabilities(
            OrderedEvents: await api.AskAsync(
                realm, Direction, answer => answer.RejectsValue(KeycloakJson.Default.IReadOnlyListUserEvent), cancellationToken),
            CreatedWindows: await api.AskAsync(
                realm, CreatedAfter, answer => answer.RejectsValue(KeycloakJson.Default.IReadOnlyListKeycloakUser), cancellationToken));
        _known[realm] = (found, clock.GetUtcNow() + GoodFor);
        return found;
    }

    /// <summary>Asks again next time, since an answer did not fit what was found.</summary>
    public void Forget(string realm) => _known.TryRemove(realm, out _);
}
