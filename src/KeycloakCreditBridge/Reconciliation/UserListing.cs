using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation;

/// <summary>
/// Reads a realm's people page by page. Keycloak pages by offset, so a user removed meanwhile moves the ones behind it out of the next
/// page: pages overlap, and a page that shows nobody of the one before is not taken for its continuation.
/// Where federated users are left to their first login the listing has two parts, the unverified and the verified: a place in the second
/// is not found again in the first, so an interrupted listing may start over.
/// </summary>
internal sealed class UserListing(
    KeycloakClient client, IOptions<KeycloakOptions> keycloak, IOptions<ReconciliationOptions> options, TimeProvider clock)
{
    private delegate Task<IReadOnlyList<KeycloakUser>> PageSource(int first, int max, CancellationToken cancellationToken);

    /// <summary>Reads from <paramref name="from"/> to the end.</summary>
    /// <exception cref="KeycloakException">A page failed: what follows it was not read, and nothing may be concluded from that.</exception>
    public IAsyncEnumerable<ListedPage> ReadAsync(string realm, ListPosition from, CancellationToken cancellationToken) =>
        keycloak.Value.Realm(realm).FederatedUsers == FederatedUsers.All
            ? ReadAsync(realm, (first, max, token) => client.ListUsersAsync(realm, first, max, token), from, cancellationToken)
            : ReadStoredAsync(realm, from, cancellationToken);

    private async IAsyncEnumerable<ListedPage> ReadStoredAsync(
        string realm, ListPosition from, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var verified in (bool[])[false, true])
        {
            PageSource source = (first, max, token) => client.ListStoredUsersAsync(realm, verified, first, max, token);
            await foreach (var page in ReadAsync(realm, source, from, cancellationToken))
                yield return page with { Fresh = await PeopleAsync(realm, page.Fresh, cancellationToken) };
            from = ListPosition.Start;
        }
    }

    private async Task<IReadOnlyList<KeycloakUser>> PeopleAsync(
        string realm, IReadOnlyList<KeycloakUser> users, CancellationToken cancellationToken)
    {
        List<KeycloakUser> people = [];
        foreach (var user in users)
        {
            if (user.Username is null || await client.IsPersonAsync(realm, user.Username, cancellationToken))
                people.Add(user);
        }

        return people;
    }

    private async IAsyncEnumerable<ListedPage> ReadAsync(
        string realm, PageSource source, ListPosition from, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (size, overlap) = (options.Value.PageSize, options.Value.OverlapRows);
        var (tail, mustContinue) = (from.Tail, from.Tail.Count > 0);
        var first = (int)Math.Max(0, from.Rows - overlap);
        while (true)
        {
            var readAt = clock.GetUtcNow();
            var users = await source(first, size, cancellationToken);
            var after = IndexAfterTail(users, tail);
            if (after < 0 && mustContinue && first > 0)
            {
                first = Math.Max(0, first - size + overlap);
                continue;
            }

            if (users.Count == 0)
            {
                // Nobody at all: the realm has no users, or the bridge has lost the right to see them.
                if (first == 0)
                    await client.CheckUsersAsync(realm, cancellationToken);
                yield break;
            }

            var startedOver = after < 0 && mustContinue;
            IReadOnlyList<KeycloakUser> fresh = after < 0 ? users : Fresh(users, tail, after);
            // A short page is the last one, or one of a server that hides users: only then the next need not show anybody of it.
            mustContinue = users.Count >= size;
            tail = [.. users.TakeLast(overlap).Select(user => user.Id)];
            yield return new ListedPage(fresh, readAt, new ListPosition(first + users.Count, tail), startedOver);
            first += size - overlap;
        }
    }

    // Where the part begins that the page before may have shown; -1 when the page shows nobody of it.
    private static int IndexAfterTail(IReadOnlyList<KeycloakUser> users, IReadOnlyList<string> tail)
    {
        var known = tail.ToHashSet(StringComparer.Ordinal);
        for (var index = 0; index < users.Count; index++)
        {
            if (known.Contains(users[index].Id))
                return index;
        }

        return -1;
    }

    // What stands before the first known user was seen earlier; between the known ones may stand users that came meanwhile.
    private static List<KeycloakUser> Fresh(IReadOnlyList<KeycloakUser> users, IReadOnlyList<string> tail, int after)
    {
        var known = tail.ToHashSet(StringComparer.Ordinal);
        return [.. users.Skip(after).Where(user => !known.Contains(user.Id))];
    }
}

/// <summary>A place in the listing.</summary>
/// <param name="Rows">How many rows stand before it.</param>
/// <param name="Tail">Ids of the last of them.</param>
internal sealed record ListPosition(long Rows, IReadOnlyList<string> Tail)
{
    public static readonly ListPosition Start = new(0, []);
}

/// <param name="Fresh">The users that no page before has shown.</param>
/// <param name="ReadAt">When Keycloak was asked.</param>
/// <param name="Reached">The place behind this page.</param>
/// <param name="StartedOver">The place was lost: this is the first page of the listing again.</param>
internal sealed record ListedPage(IReadOnlyList<KeycloakUser> Fresh, DateTimeOffset ReadAt, ListPosition Reached, bool StartedOver);
