using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.Database;
using KeycloakCreditBridge.Reconciliation.Scans;
using KeycloakCreditBridge.Reconciliation.Scans.Database;
using KeycloakCreditBridge.Reconciliation.Scans.Listing;
using KeycloakCreditBridge.Reconciliation.Scans.Windows;

namespace KeycloakCreditBridge.Reconciliation.Runs;

/// <summary>Chooses how a realm is read: the cheapest way that the server allows and that sees what is asked for.</summary>
internal sealed class ScanChoice(
    KeycloakClient client, KeycloakDatabase keycloakDatabase, CompleteRunStore runs, CountScan counts, WindowScan windows, ListScan list, DatabaseScan database)
{
    /// <exception cref="KeycloakProtocolException">The server cannot do what is asked for.</exception>
    public async Task<ReconcileMode> ChooseAsync(RunRequest request, CancellationToken cancellationToken)
    {
        if (request.UserIds is not null)
            return ReconcileMode.Users;
        if (request.Mode is ReconcileMode.List or ReconcileMode.Database)
            return request.Mode;
        if (request.Mode == ReconcileMode.Auto && keycloakDatabase.IsConfigured)
            return ReconcileMode.Database;
        var hasWindows = await client.HasCreatedWindowsAsync(request.Realm, cancellationToken);
        if (request.Mode is ReconcileMode.Windows or ReconcileMode.Counts && !hasWindows)
        {
            throw new KeycloakProtocolException(
                request.Realm, $"This Keycloak cannot find users by creation, which {ReconcileRunStore.Text(request.Mode)} needs (26.6 and later can): use --mode list.");
        }

        if (!hasWindows)
            return keycloakDatabase.IsConfigured ? ReconcileMode.Database : ReconcileMode.List;
        // Counts of a realm of which nobody is on record all differ, and judging people again needs to see them.
        return request.Mode is ReconcileMode.Counts or ReconcileMode.Quick && !request.Rejudge && await runs.HasCompleteRunAsync(request.Realm, cancellationToken)
            ? ReconcileMode.Counts
            : request.Mode == ReconcileMode.Quick && keycloakDatabase.IsConfigured ? ReconcileMode.Database : ReconcileMode.Windows;
    }

    public IScan ScanFor(ReconcileMode mode) => mode switch
    {
        ReconcileMode.Counts => counts,
        ReconcileMode.Windows => windows,
        ReconcileMode.List => list,
        ReconcileMode.Database => database,
        _ => throw new ArgumentOutOfRangeException(nameof(mode), mode, "No way of reading a realm."),
    };
}
