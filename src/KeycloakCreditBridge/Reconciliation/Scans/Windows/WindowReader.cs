using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Reconciliation.Scans.Windows;

/// <summary>Reads the users of a created window in one request, and verifies by the count that they are all.</summary>
internal sealed class WindowReader(KeycloakClient client, ListedUserReader persons, TimeProvider clock)
{
    private const int MostTries = 3;

    // For users created between the count and the list.
    private const int Room = 100;

    /// <param name="realm">The realm's name.</param>
    /// <param name="window">The window.</param>
    /// <param name="counted">How many users Keycloak counts in it.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task<ReadWindow> ReadAsync(string realm, CreatedWindow window, long counted, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var readAt = clock.GetUtcNow();
            var users = counted == 0 ? [] : await client.ListCreatedAsync(realm, window, first: 0, (int)counted + Room, cancellationToken);
            var isComplete = users.Count == counted;
            if (isComplete || attempt == MostTries)
                return new ReadWindow(window, counted, await persons.ReadAsync(realm, users, cancellationToken), readAt, isComplete);
            counted = await client.CountCreatedAsync(realm, window, cancellationToken);
        }
    }
}

/// <param name="Counted">How many users Keycloak counts in it.</param>
/// <param name="Users">Its users, service accounts among them.</param>
/// <param name="ReadAt">When Keycloak was asked for them.</param>
/// <param name="IsComplete">Whether they are as many as Keycloak counts: otherwise no user may be taken for deleted.</param>
internal sealed record ReadWindow(
    CreatedWindow Window, long Counted, IReadOnlyList<Provisioning.Policy.Subject> Users, DateTimeOffset ReadAt, bool IsComplete);
