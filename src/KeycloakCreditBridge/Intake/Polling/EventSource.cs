using KeycloakCreditBridge.Grants.Review.Signals.Origins;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Events;

namespace KeycloakCreditBridge.Intake.Polling;

/// <summary>An event of either kind, as far as polling needs it.</summary>
/// <param name="Fingerprint">Distinguishes it from all others of its stream.</param>
/// <param name="Time">Milliseconds since 1970 by Keycloak's clock, stamped before the event became visible.</param>
/// <param name="Hint">The hint in it; null when it concerns no user.</param>
/// <param name="IsOverwrite">A partial import overwrote a user.</param>
/// <param name="Origin">From where the user registered; null when the event says nothing of it.</param>
internal sealed record PolledEvent(
    string Fingerprint, long Time, UserHint? Hint, bool IsOverwrite = false, Origin? Origin = null);

/// <summary>One of the two event streams of a realm.</summary>
/// <param name="Realm">The realm's name.</param>
/// <param name="Stream">`user-events` or `admin-events`.</param>
/// <param name="List">Reads a page.</param>
internal sealed record EventSource(
    string Realm, string Stream, Func<EventQuery, CancellationToken, Task<IReadOnlyList<PolledEvent>>> List)
{
    public static EventSource UserEvents(KeycloakEvents keycloak, string realm) => new(realm, StreamNames.Users, async (query, token) =>
    [
        .. from happened in await keycloak.ListUserEventsAsync(realm, query, token)
           let hint = Usable(EventRules.HintFrom(happened, realm, HintSources.Poll))
           select new PolledEvent(
               happened.Fingerprint, happened.Time, hint, Origin: hint is null ? null : Origin.From(happened)),
    ]);

    public static EventSource AdminEvents(KeycloakEvents keycloak, string realm) => new(realm, StreamNames.Admins, async (query, token) =>
    [
        .. from happened in await keycloak.ListAdminEventsAsync(realm, query, token)
           let hint = Usable(EventRules.HintFrom(happened, realm, HintSources.Poll))
           select new PolledEvent(
               happened.Fingerprint, happened.Time, hint, EventRules.IsOverwrite(happened),
               hint is not null && EventRules.IsCreation(happened)
                   ? Origin.ByAdministrator(hint.UserId, DateTimeOffset.FromUnixTimeMilliseconds(happened.Time)) : null),
    ]);

    // No stored user can have such an id, and one bad event must not stop those behind it.
    private static UserHint? Usable(UserHint? hint) => hint is null || UserIds.ProblemWith(hint.UserId) is not null ? null : hint;
}
