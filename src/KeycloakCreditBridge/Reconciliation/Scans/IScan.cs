namespace KeycloakCreditBridge.Reconciliation.Scans;

/// <summary>A way of reading a realm. It also notes users on record that a complete part did not show.</summary>
internal interface IScan
{
    /// <summary>How many parts may be reviewed at the same time: more than one where reading is much faster than reviewing.</summary>
    int MaxConcurrentReviews => 1;

    /// <summary>Reads from where the run is to the end.</summary>
    /// <exception cref="Keycloak.KeycloakException">A part failed: the rest was not read, and absence means nothing there.</exception>
    IAsyncEnumerable<ScannedPart> ReadAsync(ReconcileRun run, RunRequest request, CancellationToken cancellationToken);
}
