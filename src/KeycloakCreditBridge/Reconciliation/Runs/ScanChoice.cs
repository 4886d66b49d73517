using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.Database;
using KeycloakCreditBridge.Reconciliation.Scans;
using KeycloakCreditBridge.Reconciliation.Scans.Database;
using KeycloakCreditBridge.Reconciliation.Scans.Listing;
using KeycloakCreditBridge.Reconciliation.Scans.Windows;

namespace KeycloakCreditBridge.Reconciliation.Runs;

/// <summary>Chooses how a run reads the realm: the cheapest way that the server allows and that sees what is asked for.</summary>
internal sealed class ScanChoice(
    KeycloakClient client, KeycloakDatabase keycloakDatabase, CompleteRunStore runs, CountScan counts, WindowScan windows, ListScan list,
    DatabaseScan database)
{
    /// <summary>Chooses once a run. A choice that fails is recorded with the run, which it ends.</summary>
    public async Task<ScanPlan> ChooseAsync(RunRequest request, CancellationToken cancellationToken)
    {
        try
        {
            var mode = await ModeAsync(request, cancellationToken);
            return new ScanPlan(mode, ScanOf(mode), Error: null);
        }
        catch (KeycloakException exception)
        {
            return new ScanPlan(request.Mode, Scan: null, exception);
        }
    }

    private async Task<ReconcileMode> ModeAsync(RunRequest request, CancellationToken cancellationToken)
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
                request.Realm,
                $"This Keycloak cannot filter users by creation time, which --mode {request.Mode.Text()} needs: use --mode list, or " +
                "Keycloak 26.6 or later.");
        }

        if (!hasWindows)
            return keycloakDatabase.IsConfigured ? ReconcileMode.Database : ReconcileMode.List;
        // Where no user is on record all counts differ, and re-evaluating users needs to see them.
        return request.Mode is ReconcileMode.Counts or ReconcileMode.Quick && !request.ReEvaluate
            && await runs.HasCompleteRunAsync(request.Realm, cancellationToken)
            ? ReconcileMode.Counts
            : request.Mode == ReconcileMode.Quick && keycloakDatabase.IsConfigured ? ReconcileMode.Database : ReconcileMode.Windows;
    }

    private IScan? ScanOf(ReconcileMode mode) => mode switch
    {
        ReconcileMode.Counts => counts,
        ReconcileMode.Windows => windows,
        ReconcileMode.List => list,
        ReconcileMode.Database => database,
        _ => null,
    };
}

/// <summary>How a run reads the realm.</summary>
/// <param name="Scan">Null where single users are read.</param>
/// <param name="Error">Why no scan could be chosen; null when one was.</param>
internal sealed record ScanPlan(ReconcileMode Mode, IScan? Scan, KeycloakException? Error);
