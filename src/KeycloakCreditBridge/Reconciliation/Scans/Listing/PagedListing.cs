using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Keycloak.Admin;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation.Scans.Listing;

/// <summary>
/// Reads users page by page. Keycloak pages by offset, so a user deleted meanwhile moves later users out of the next page. Pages therefore
/// overlap, and a page without any user of the previous one does not count as its continuation.
/// </summary>
internal sealed class PagedListing(IOptions<ReconciliationOptions> options, TimeProvider clock)
{
    internal delegate Task<IReadOnlyList<KeycloakUser>> PageSource(int first, int max, CancellationToken cancellationToken);

    /// <summary>Reads to the end, which is an empty page.</summary>
    /// <param name="source">Reads a page.</param>
    /// <param name="rows">How many rows were read before.</param>
    /// <param name="tail">Ids of the last of them.</param>
    /// <param name="cancellationToken">Ends the reading between pages.</param>
    public async IAsyncEnumerable<ListedPage> ReadAsync(
        PageSource source, long rows, IReadOnlyList<string> tail, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (size, overlap) = (options.Value.PageSize, options.Value.OverlapRows);
        var mustContinue = tail.Count > 0;
        var first = (int)Math.Max(0, rows - overlap);
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
                yield break;

            var startedOver = after < 0 && mustContinue;
            IReadOnlyList<KeycloakUser> fresh = after < 0 ? users : Fresh(users, tail, after);
            // A short page is the last one, or the server hides users: only then the next need not overlap it.
            mustContinue = users.Count >= size;
            tail = [.. users.TakeLast(overlap).Select(user => user.Id)];
            yield return new ListedPage(fresh, readAt, first + users.Count, tail, startedOver);
            first += size - overlap;
        }
    }

    // Where the overlap with the previous page begins; -1 when there is none.
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

    // Users before the first known one were seen earlier; between the known ones there may be new users.
    private static List<KeycloakUser> Fresh(IReadOnlyList<KeycloakUser> users, IReadOnlyList<string> tail, int after)
    {
        var known = tail.ToHashSet(StringComparer.Ordinal);
        return [.. users.Skip(after).Where(user => !known.Contains(user.Id))];
    }
}

/// <param name="Fresh">The users that no earlier page has shown.</param>
/// <param name="ReadAt">When Keycloak was asked.</param>
/// <param name="Rows">How many rows stand before the next page.</param>
/// <param name="Tail">Ids of the last of them.</param>
/// <param name="StartedOver">The place was lost: this is the first page again.</param>
internal sealed record ListedPage(
    IReadOnlyList<KeycloakUser> Fresh, DateTimeOffset ReadAt, long Rows, IReadOnlyList<string> Tail, bool StartedOver);
