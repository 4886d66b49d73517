using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Reconciliation.Runs;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation.Scans;

/// <summary>
/// People whom no window shows: imported without a creation time, or federated without import. The counts tell whether there are any that
/// are not on record; then the whole realm is listed.
/// </summary>
internal sealed partial class UndatedScan(
    KeycloakClient client,
    KnownUserStore known,
    ListScan list,
    ReconcileRunStore runs,
    IOptions<KeycloakOptions> keycloak,
    TimeProvider clock,
    ILogger<UndatedScan> logger)
{
    private const int MostTries = 3;

    private static readonly TimeSpan BetweenTries = TimeSpan.FromSeconds(0.5);

    /// <summary>Reads them if it must.</summary>
    /// <param name="run">The run; one that was at this when it was interrupted goes on with it.</param>
    /// <param name="request">What is asked for.</param>
    /// <param name="dated">How many users Keycloak counts with a creation, if it was just asked.</param>
    /// <param name="withFederated">Whether to look for people whom no count has, too.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async IAsyncEnumerable<ScannedPart> ReadAsync(
        ReconcileRun run, ReconcileRequest request, long? dated, bool withFederated, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (run.Reached.Phase.Length == 0 && !await MustListAsync(run, request.Realm, dated, withFederated, cancellationToken))
            yield break;
        await foreach (var part in ListAsync(run, request, cancellationToken))
            yield return part;
        await runs.SaveUnexplainedAsync(run, await UnexplainedAsync(run, request.Realm, null, cancellationToken), cancellationToken);
    }

    /// <summary>Reads people of a federation without import, if there are any; all others have been read.</summary>
    public async IAsyncEnumerable<ScannedPart> ReadFederatedAsync(
        ReconcileRun run, ReconcileRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (run.Reached.Phase.Length == 0 && !await HasUncountedAsync(request.Realm, cancellationToken))
            yield break;
        await foreach (var part in ListAsync(run, request, cancellationToken))
            yield return part;
    }

    private async IAsyncEnumerable<ScannedPart> ListAsync(
        ReconcileRun run, ReconcileRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var first = run.Reached.Phase.Length == 0;
        await foreach (var part in list.ReadAsync(run, request, first ? ScanPosition.Start : run.Reached, AbsenceScope.Undated, cancellationToken))
        {
            yield return part with { StartedOver = part.StartedOver || first };
            first = false;
        }
    }

    private async Task<bool> MustListAsync(ReconcileRun run, string realm, long? dated, bool withFederated, CancellationToken cancellationToken)
    {
        var unexplained = await UnexplainedAsync(run, realm, dated, cancellationToken);
        await runs.SaveUnexplainedAsync(run, unexplained, cancellationToken);
        // A difference that a list did not explain the last time is not explained by another one.
        if (unexplained != 0 && unexplained != await runs.LastUnexplainedAsync(run, cancellationToken))
        {
            LogUnexplained(realm, unexplained);
            return true;
        }

        return withFederated && await HasUncountedAsync(realm, cancellationToken);
    }

    // People whom Keycloak counts, without those whom windows show, without those on record whom windows do not show.
    private async Task<long> UnexplainedAsync(ReconcileRun run, string realm, long? counted, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var people = await client.CountUsersAsync(realm, cancellationToken);
            var dated = attempt == 1 && counted is { } just ? just : await client.CountCreatedAsync(realm, CreatedWindow.All, cancellationToken);
            var onRecord = await known.UndatedAsync(realm, run.Id, cancellationToken);
            var unexplained = people - (dated - onRecord.Services) - onRecord.Undated;
            // Somebody may have come between the two counts.
            if (unexplained == 0 || attempt == MostTries)
                return unexplained;
            await Task.Delay(BetweenTries, clock, cancellationToken);
        }
    }

    // The list has more people than the count: federated ones, which a federation without import, or before the import, has.
    private async Task<bool> HasUncountedAsync(string realm, CancellationToken cancellationToken)
    {
        if (keycloak.Value.Realm(realm).FederatedUsers != FederatedUsers.All)
            return false;
        var counted = await client.CountUsersAsync(realm, cancellationToken);
        // Asking may import whom it shows, so it is not asked twice to tell them from somebody who registered in between.
        var behind = await client.ListUsersAsync(realm, (int)counted, max: 1, cancellationToken);
        if (behind.Count > 0)
            LogUncounted(realm);
        return behind.Count > 0;
    }

    [LoggerMessage(EventId = 542, Level = LogLevel.Information,
        Message = "Realm {Realm} counts {Unexplained} people more than its windows show and are on record: the whole realm is listed.")]
    private partial void LogUnexplained(string realm, long unexplained);

    [LoggerMessage(EventId = 543, Level = LogLevel.Information,
        Message = "Realm {Realm} has people whom no count has, of a federation: the whole realm is listed.")]
    private partial void LogUncounted(string realm);
}
