using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Reconciliation.Scans;

/// <summary>A way of reading a realm. It also notes whom a complete part of the reading did not show.</summary>
internal interface IScan
{
    /// <summary>How many parts may be reviewed at the same time: where reading costs next to nothing, reviewing is what takes time.</summary>
    int MaxConcurrentReviews => 1;

    /// <summary>Reads from where the run is to the end.</summary>
    /// <exception cref="Keycloak.KeycloakException">A part failed: what follows it was not read, and nothing may be concluded from that.</exception>
    IAsyncEnumerable<ScannedPart> ReadAsync(ReconcileRun run, RunRequest request, CancellationToken cancellationToken);
}
