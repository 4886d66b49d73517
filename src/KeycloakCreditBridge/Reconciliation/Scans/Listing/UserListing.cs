using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation.Scans.Listing;

/// <summary>Lists a realm's users by user name, once from start to end.</summary>
internal sealed class UserListing(KeycloakClient client, PagedListing listing, ListedUserReader persons, IOptions<KeycloakOptions> keycloak)
{
    // Where federated users are left to their first login the listing has two parts, so that no request makes Keycloak ask the federation.
    private const string AllUsers = "all";
    private const string Unverified = "unverified";
    private const string Verified = "verified";

    private static readonly TimeSpan ClocksApart = TimeSpan.FromMinutes(5);

    /// <summary>Whether the list shows federated users without import.</summary>
    public bool ShowsFederated(string realm) => keycloak.Value.Realm(realm).FederatedUsers == FederatedUsers.All;

    /// <summary>Lists from a place to the end. The parts that leave federations alone show service accounts too.</summary>
    /// <exception cref="KeycloakException">A page failed: the rest was not read, and absence means nothing there.</exception>
    public async IAsyncEnumerable<ScannedPart> ReadAsync(
        string realm, ScanPosition from, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string[] phases = ShowsFederated(realm) ? [AllUsers] : [Unverified, Verified];
        foreach (var phase in phases.Skip(Math.Max(0, Array.IndexOf(phases, from.Phase))))
        {
            PagedListing.PageSource source = phase == AllUsers
                ? (first, max, token) => client.ListUsersAsync(realm, first, max, token)
                : (first, max, token) => client.ListStoredUsersAsync(realm, phase == Verified, first, max, token);
            await foreach (var page in listing.ReadAsync(source, from.Number, from.Tail, cancellationToken))
            {
                var users = phase == AllUsers
                    ? ListedUserReader.WithoutServiceAccounts(realm, page.Fresh)
                    : await persons.ReadAsync(realm, page.Fresh, cancellationToken);
                yield return new ScannedPart(users, page.ReadAt, new ScanPosition(phase, page.Rows, page.Tail), page.StartedOver)
                {
                    Imports = page.Fresh.Any(user => WasImportedSince(page.ReadAt, user)),
                };
            }

            from = ScanPosition.Start;
        }
    }

    private static bool WasImportedSince(DateTimeOffset asked, KeycloakUser user) =>
        user.FederationLink is not null && user.CreatedTimestamp > (asked - ClocksApart).ToUnixTimeMilliseconds();
}
