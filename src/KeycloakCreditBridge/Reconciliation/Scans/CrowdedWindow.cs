using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Reconciliation.Runs;

namespace KeycloakCreditBridge.Reconciliation.Scans;

/// <summary>
/// A window that cannot be cut into ones that fit a request: an import gave thousands of users the same moment. It is read page by page;
/// who is on record in it and was not shown is found by a daily list only.
/// </summary>
internal sealed class CrowdedWindow(KeycloakClient client, PagedListing listing, PersonReader persons)
{
    private const int MostUsers = 20_000;

    public static bool IsOne(long counted) => counted > MostUsers;

    public async IAsyncEnumerable<ScannedPart> ReadAsync(
        ReconcileRun run, string realm, CreatedWindow window, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        PagedListing.PageSource source = (first, max, token) => client.ListCreatedAsync(realm, window, first, max, token);
        await foreach (var page in listing.ReadAsync(source, rows: 0, [], cancellationToken))
        {
            var users = await persons.ReadAsync(realm, page.Fresh, cancellationToken);
            yield return new ScannedPart(users, page.ReadAt, ScanPosition.Start with { Number = window.From });
        }
    }
}
