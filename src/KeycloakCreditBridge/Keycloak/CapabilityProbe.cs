using System.Collections.Concurrent;
using System.Text.Json.Serialization.Metadata;

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

    private readonly ConcurrentDictionary<(string Realm, string Resource), (bool Found, DateTimeOffset Until)> _known = new();

    public async Task<ServerCapabilities> FindAsync(string realm, CancellationToken cancellationToken) => new(
        OrderedEvents: await AskAsync(realm, Direction, KeycloakJson.Default.IReadOnlyListUserEvent, cancellationToken),
        CreatedWindows: await HasCreatedWindowsAsync(realm, cancellationToken));

    /// <summary>Whether users are found by when they were created. Whoever asks needs no role for events.</summary>
    public Task<bool> HasCreatedWindowsAsync(string realm, CancellationToken cancellationToken) =>
        AskAsync(realm, CreatedAfter, KeycloakJson.Default.IReadOnlyListKeycloakUser, cancellationToken);

    /// <summary>Asks again next time, since an answer did not fit what was found.</summary>
    public void Forget(string realm)
    {
        _known.TryRemove((realm, Direction.Resource), out _);
        _known.TryRemove((realm, CreatedAfter.Resource), out _);
    }

    private async Task<bool> AskAsync<TAnswer>(string realm, AdminQuestion question, JsonTypeInfo<TAnswer> type, CancellationToken cancellationToken)
    {
        var key = (realm, question.Resource);
        if (_known.TryGetValue(key, out var entry) && clock.GetUtcNow() < entry.Until)
            return entry.Found;
        var found = await api.AskAsync(realm, question, answer => answer.RejectsValue(type), cancellationToken);
        _known[key] = (found, clock.GetUtcNow() + GoodFor);
        return found;
    }
}
