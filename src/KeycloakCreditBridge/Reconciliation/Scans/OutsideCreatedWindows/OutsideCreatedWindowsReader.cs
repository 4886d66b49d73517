using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Reconciliation.Scans.OutsideCreatedWindows;

/// <summary>Reads users on record that no window shows, each by id: far cheaper than listing the realm for them.</summary>
internal sealed class OutsideCreatedWindowsReader(
    KnownUserStore known, UserByIdReader reader, MissingFromScanStore missing, Hot<GrantPolicy> policies, TimeProvider clock)
{
    private const int BatchUsers = 500;

    // Reading one user costs Keycloak about as much as listing this many.
    private const int ListedForOne = 20;
    private const int FewUsers = 100;

    /// <summary>Whether listing the realm would cost Keycloak more.</summary>
    public static bool AreFew(long outsideWindows, long users) => outsideWindows <= Math.Max(FewUsers, users / ListedForOne);

    /// <summary>Reads them, and notes those that Keycloak does not know.</summary>
    /// <param name="run">The run.</param>
    /// <param name="realm">The realm's name.</param>
    /// <param name="position">The place of the run meanwhile: an interrupted run begins this anew.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public IAsyncEnumerable<ScannedPart> ReadAsync(
        ReconcileRun run, string realm, ScanPosition position, CancellationToken cancellationToken) =>
        ReadAsync(known.OutsideCreatedWindowsAfterAsync, run, realm, position, cancellationToken);

    /// <summary>The same for federated users without import.</summary>
    public IAsyncEnumerable<ScannedPart> ReadFederatedAsync(
        ReconcileRun run, string realm, ScanPosition position, CancellationToken cancellationToken) =>
        ReadAsync(known.FederatedAfterAsync, run, realm, position, cancellationToken);

    private async IAsyncEnumerable<ScannedPart> ReadAsync(
        Func<string, string, int, CancellationToken, Task<IReadOnlyList<string>>> listAsync, ReconcileRun run, string realm,
        ScanPosition position,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var batch = await listAsync(realm, "", BatchUsers, cancellationToken);
        while (batch.Count > 0)
        {
            var readAt = clock.GetUtcNow();
            var asked = await reader.ReadAsync(policies.Current, realm, batch, cancellationToken);
            if (asked.NotFound.Count > 0)
                await missing.AddAsync(run.Id, asked.NotFound, cancellationToken);
            yield return new ScannedPart(asked.Found, readAt, position) { Problems = asked.Problems };
            batch = await listAsync(realm, batch[^1], BatchUsers, cancellationToken);
        }
    }
}
