using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Reconciliation.Scans.Listing;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation.Scans.OutsideCreatedWindows;

/// <summary>
/// Users that no window shows: imported without a creation time, or federated without import. Those on record are read by id where they are
/// few. If the counts tell of others, the whole realm is listed.
/// </summary>
internal sealed partial class OutsideCreatedWindowsScan(
    KeycloakClient client,
    KnownUserStore known,
    OutsideCreatedWindowsCounter count,
    OutsideCreatedWindowsReader records,
    ListScan list,
    UnexplainedCountStore unexplainedCounts,
    IOptions<KeycloakOptions> keycloak,
    ILogger<OutsideCreatedWindowsScan> logger)
{
    private const int MostTries = 3;
    private const int MaxNewUsers = 20;

    /// <summary>Reads all of them, as a complete scan does.</summary>
    /// <param name="run">The run; one that was interrupted while listing them resumes there.</param>
    /// <param name="request">Its request.</param>
    /// <param name="behind">The place after all windows.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async IAsyncEnumerable<ScannedPart> ReadAllAsync(
        ReconcileRun run, RunRequest request, ScanPosition behind, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (run.Reached.Phase.Length == 0)
        {
            var counts = await count.AskAsync(run, request.Realm, cancellationToken);
            await foreach (var part in ReadRecordsAsync(run, request, behind, counts, cancellationToken))
                yield return part;
            if (
                !await MustListAsync(run, request.Realm, counts, cancellationToken)
                    && !await MustListFederatedAsync(request.Realm, cancellationToken))
            {
                await foreach (var part in ReadFederatedAsync(run, request.Realm, behind, cancellationToken))
                    yield return part;
                yield break;
            }
        }

        await foreach (var part in ListAsync(run, request, cancellationToken))
            yield return part;
        await unexplainedCounts.SaveAsync(
            run, await count.UnexplainedAsync(run, request.Realm, null, cancellationToken), cancellationToken);
    }

    /// <summary>Reads them if the counts do not explain how many there are.</summary>
    /// <param name="run">The run; one that was interrupted while listing them resumes there.</param>
    /// <param name="request">Its request.</param>
    /// <param name="behind">The place after all windows.</param>
    /// <param name="counts">The counts, if they were just read.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async IAsyncEnumerable<ScannedPart> ReadIfCountsDifferAsync(
        ReconcileRun run, RunRequest request, ScanPosition behind, OutsideCreatedWindowsCounts? counts,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (run.Reached.Phase.Length == 0)
        {
            counts ??= await count.AskAsync(run, request.Realm, cancellationToken);
            var unexplained = await count.UnexplainedAsync(run, request.Realm, counts, cancellationToken);
            await unexplainedCounts.SaveAsync(run, unexplained, cancellationToken);
            if (
                unexplained == 0
                    || (request.AllowClosing is null && unexplained == await unexplainedCounts.LastAsync(run, cancellationToken)))
                yield break;
            await foreach (var part in ReadRecordsAsync(run, request, behind, counts, cancellationToken))
                yield return part;
            if (!await MustListAsync(run, request.Realm, counts, cancellationToken))
                yield break;
        }

        await foreach (var part in ListAsync(run, request, cancellationToken))
            yield return part;
        await unexplainedCounts.SaveAsync(
            run, await count.UnexplainedAsync(run, request.Realm, null, cancellationToken), cancellationToken);
    }

    /// <summary>Lists the whole realm for users that no window, count or table has.</summary>
    public async IAsyncEnumerable<ScannedPart> ListAsync(
        ReconcileRun run, RunRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var first = run.Reached.Phase.Length == 0;
        await foreach (
            var part in list.ReadAsync(
                run, request, first ? ScanPosition.Start : run.Reached, MissingScope.OutsideCreatedWindows, cancellationToken))
        {
            yield return part with { StartedOver = part.StartedOver || first };
            first = false;
        }
    }

    /// <summary>Reads recorded federated users without import by id where the realm was not listed.</summary>
    public IAsyncEnumerable<ScannedPart> ReadFederatedAsync(
        ReconcileRun run, string realm, ScanPosition position, CancellationToken cancellationToken) =>
        keycloak.Value.Realm(realm).FederatedUsers == FederatedUsers.All
            ? records.ReadFederatedAsync(run, realm, position, cancellationToken)
            : AsyncEnumerable.Empty<ScannedPart>();

    private IAsyncEnumerable<ScannedPart> ReadRecordsAsync(
        ReconcileRun run, RunRequest request, ScanPosition behind, OutsideCreatedWindowsCounts counts,
        CancellationToken cancellationToken) =>
        OutsideCreatedWindowsReader.AreFew(counts.OnRecord.Users, counts.Users)
            ? records.ReadAsync(run, request.Realm, behind, cancellationToken)
            : AsyncEnumerable.Empty<ScannedPart>();

    private async Task<bool> MustListAsync(
        ReconcileRun run, string realm, OutsideCreatedWindowsCounts before, CancellationToken cancellationToken)
    {
        // They were not read by id.
        if (!OutsideCreatedWindowsReader.AreFew(before.OnRecord.Users, before.Users))
            return true;
        var unexplained = await count.UnexplainedAsync(run, realm, null, cancellationToken);
        await unexplainedCounts.SaveAsync(run, unexplained, cancellationToken);
        // A difference that the last list did not explain is not explained by another one.
        if (unexplained == 0 || unexplained == await unexplainedCounts.LastAsync(run, cancellationToken))
            return false;
        LogUnexplained(realm, unexplained);
        return true;
    }

    /// <summary>Whether the list shows users that no count has: of a federation without import, or before their import.</summary>
    public async Task<bool> HasUncountedAsync(string realm, CancellationToken cancellationToken)
    {
        if (keycloak.Value.Realm(realm).FederatedUsers != FederatedUsers.All)
            return false;
        for (var attempt = 1; ; attempt++)
        {
            var counted = await client.CountUsersAsync(realm, cancellationToken);
            var behind = await client.ListUsersAsync(realm, (int)counted, MaxNewUsers, cancellationToken);
            // A user that registers between the two moves others past the count; a whole page of these proves nothing.
            var isUnclear = behind.Count == MaxNewUsers;
            if (await HasFederatedAsync(realm, behind, cancellationToken) || (isUnclear && attempt == MostTries))
                return true;
            if (!isUnclear)
                return false;
        }
    }

    /// <summary>The same, and logs it: the realm is listed then.</summary>
    public async Task<bool> MustListFederatedAsync(string realm, CancellationToken cancellationToken)
    {
        if (!await HasUncountedAsync(realm, cancellationToken))
            return false;
        LogUncounted(realm);
        return true;
    }

    // A user imported earlier is counted; a user imported by this very request is not on record yet.
    private async Task<bool> HasFederatedAsync(string realm, IReadOnlyList<KeycloakUser> users, CancellationToken cancellationToken)
    {
        string[] linked = [.. users.Where(user => user.FederationLink is not null).Select(user => user.Id)];
        return users.Any(user => user.Id.StartsWith("f:", StringComparison.Ordinal))
            || (linked.Length > 0 && await known.CountKnownAsync(realm, linked, cancellationToken) < linked.Length);
    }

    [LoggerMessage(EventId = 542, Level = LogLevel.Information,
        Message = "Realm {Realm} counts {Unexplained} more users than its windows and the records explain: the whole realm is listed.")]
    private partial void LogUnexplained(string realm, long unexplained);

    [LoggerMessage(EventId = 543, Level = LogLevel.Information,
        Message = "Realm {Realm} has federated users that no count includes: the whole realm is listed.")]
    private partial void LogUncounted(string realm);
}
