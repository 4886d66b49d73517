using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Reconciliation.Scans.Listing;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation.Scans.Windows;

/// <summary>
/// A window too large for one request that cannot be cut: an import gave thousands of users the same creation time. It is read page by
/// page, and from its start again when the run was interrupted.
/// </summary>
internal sealed class OversizedWindow(
    KeycloakClient client, PagedListing listing, ListedUserReader persons, MissingFromScanStore missing,
    IOptions<ReconciliationOptions> options)
{
    private const int MostUsers = 20_000;
    private const int MostWindows = 10;

    /// <summary>Whether a window of so many users is too large for one request.</summary>
    public bool IsOversized(long counted) => counted > Math.Min(MostUsers, MostWindows * options.Value.WindowUsers);

    /// <summary>Reads it, and notes users on record in it that it did not show.</summary>
    /// <param name="run">The run.</param>
    /// <param name="realm">The realm's name.</param>
    /// <param name="window">The window.</param>
    /// <param name="counted">How many users Keycloak counts in it.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async IAsyncEnumerable<ScannedPart> ReadAsync(
        ReconcileRun run, string realm, CreatedWindow window, long counted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await missing.ClearSeenAsync(run.Id, cancellationToken);
        var services = 0;
        DateTimeOffset? startedAt = null;
        PagedListing.PageSource source = (first, max, token) => client.ListCreatedAsync(realm, window, first, max, token);
        await foreach (var page in listing.ReadAsync(source, rows: 0, [], cancellationToken))
        {
            startedAt ??= page.ReadAt;
            var users = await persons.ReadAsync(realm, page.Fresh, cancellationToken);
            services = users.Count(user => user.IsServiceAccount) + (page.StartedOver ? 0 : services);
            await missing.AddSeenAsync(run.Id, users, cancellationToken);
            yield return new ScannedPart(users, page.ReadAt, ScanPosition.Start);
        }

        if (startedAt is { } readAt && await missing.CountSeenAsync(run.Id, cancellationToken) + services >= counted)
            await missing.AddUnseenInWindowAsync(run, realm, window, readAt, cancellationToken);
        await missing.ClearSeenAsync(run.Id, cancellationToken);
    }
}
