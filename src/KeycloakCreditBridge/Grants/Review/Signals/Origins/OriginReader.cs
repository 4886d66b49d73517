using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Events;

namespace KeycloakCreditBridge.Grants.Review.Signals.Origins;

/// <summary>
/// Asks Keycloak from where users registered whose events the bridge did not read yet: a few requests for a batch, whatever its size.
/// </summary>
internal sealed class OriginReader(KeycloakEvents events, OriginRecorder recorder, TimeProvider clock)
{
    // A user whose event is not there after this time has none.
    private static readonly TimeSpan Late = TimeSpan.FromMinutes(5);

    /// <summary>Reads and keeps from where users registered. What Keycloak does not say counts nothing.</summary>
    /// <param name="realm">Their realm.</param>
    /// <param name="users">The users with the times of their registrations.</param>
    /// <param name="cancellationToken">Ends the requests.</param>
    public async Task ReadAsync(
        string realm, IReadOnlyDictionary<string, DateTimeOffset> users, CancellationToken cancellationToken)
    {
        try
        {
            var since = users.Values.Min() - Late;
            var registered = await events.ListRegistrationsAsync(realm, [.. users.Keys], since, cancellationToken);
            List<Origin> found = [.. registered.Select(Origin.From).OfType<Origin>()];
            var seen = found.Select(origin => origin.KeycloakId).ToHashSet(StringComparer.Ordinal);
            if (users.Keys.Any(user => !seen.Contains(user)))
            {
                found.AddRange((await events.ListCreatedAsync(realm, since, cancellationToken))
                    .Where(made => !seen.Contains(made.UserId)).Select(made => Origin.ByAdministrator(made.UserId, made.At)));
                seen.UnionWith(found.Select(origin => origin.KeycloakId));
            }

            found.AddRange(users.Where(user => !seen.Contains(user.Key) && clock.GetUtcNow() - user.Value > Late)
                .Select(user => new Origin(user.Key, user.Value, null, MissingOrigins.NoEvent)));
            await recorder.RecordAsync(realm, found, cancellationToken);
        }
        catch (KeycloakException)
        {
            // The next assessment asks again.
        }
    }
}
