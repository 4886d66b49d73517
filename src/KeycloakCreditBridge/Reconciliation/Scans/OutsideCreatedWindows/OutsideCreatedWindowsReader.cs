using System.Runtime.CompilerServices;

namespace KeycloakCreditBridge.Reconciliation.Scans.OutsideCreatedWindows;

/// <summary>Reads people on record whom no window shows, each by id: far fewer questions than listing the realm for their sake.</summary>
internal sealed class OutsideCreatedWindowsReader(
    KnownUserStore known, UserByIdReader reader, MissingFromScanStore absentees, TimeProvider clock)
{
    private const int BatchUsers = 500;

    // One question costs Keycloak about as much as listing so many people.
    private const int ListedForOne = 20;
    private const int FewUsers = 100;

    /// <summary>Whether listing the realm would cost Keycloak more.</summary>
    public static bool AreFew(long undated, long people) => undated <= Math.Max(FewUsers, people / ListedForOne);

    /// <summary>Reads them, and notes who is gone.</summary>
    /// <param name="run">The run.</param>
    /// <param name="realm">The realm's name.</param>
    /// <param name="position">Where the run is meanwhile: this is begun anew when it is interrupted.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public IAsyncEnumerable<ScannedPart> ReadAsync(ReconcileRun run, string realm, ScanPosition position, CancellationToken cancellationToken) =>
        ReadAsync(known.OutsideCreatedWindowsAfterAsync, run, realm, position, cancellationToken);

    /// <summary>The same for people of a federation without import.</summary>
    public IAsyncEnumerable<ScannedPart> ReadFederatedAsync(
        ReconcileRun run, string realm, ScanPosition position, CancellationToken cancellationToken) =>
        ReadAsync(known.FederatedAfterAsync, run, realm, position, cancellationToken);

    private async IAsyncEnumerable<ScannedPart> ReadAsync(
        Func<string, string, int, CancellationToken, Task<IReadOnlyList<string>>> listAsync, ReconcileRun run, string realm, ScanPosition position,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var batch = await listAsync(realm, "", BatchUsers, cancellationToken);
        while (batch.Count > 0)
        {
            var readAt = clock.GetUtcNow();
            var asked = await reader.ReadAsync(realm, batch, cancellationToken);
            if (asked.NotFound.Count > 0)
                await absentees.AddAsync(run.Id, asked.NotFound, cancellationToken);
            yield return new ScannedPart(asked.Found, readAt, position) { Problems = asked.Problems };
            batch = await listAsync(realm, batch[^1], BatchUsers, cancellationToken);
        }
    }
}
