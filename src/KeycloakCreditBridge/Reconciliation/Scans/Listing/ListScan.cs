using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Reconciliation.Scans.Listing;

/// <summary>
/// Reads a realm by user name. Keycloak sorts the realm for each page, and a page may miss users that moved while it was read. A listing
/// with fewer users than Keycloak counts is read again, and no user is taken for deleted before they agree.
/// </summary>
internal sealed partial class ListScan(
    KeycloakClient client,
    UserListing users,
    MissingFromScanStore missing,
    ILogger<ListScan> logger) : IScan
{
    private const int MostPasses = 3;

    public IAsyncEnumerable<ScannedPart> ReadAsync(ReconcileRun run, RunRequest request, CancellationToken cancellationToken) =>
        ReadAsync(run, request, run.Reached, MissingScope.Listed, cancellationToken);

    /// <summary>Reads from a place on, and notes users of <paramref name="scope"/> that it did not show.</summary>
    public async IAsyncEnumerable<ScannedPart> ReadAsync(
        ReconcileRun run, RunRequest request, ScanPosition from, MissingScope scope,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var realm = request.Realm;
        for (var pass = 1; ; pass++)
        {
            var isAgain = pass > 1;
            var imports = false;
            var before = await client.CountUsersAsync(realm, cancellationToken);
            await foreach (var part in users.ReadAsync(realm, from, cancellationToken))
            {
                await missing.AddSeenAsync(run.Id, part.Users, cancellationToken);
                imports |= part.Imports;
                yield return part with { StartedOver = part.StartedOver || isAgain };
                isAgain = false;
            }

            var seen = await missing.CountSeenAsync(run.Id, cancellationToken);
            // A user created or deleted meanwhile is in one of the counts only; users that the list itself had imported are in the second.
            var after = await client.CountUsersAsync(realm, cancellationToken);
            var counted = imports ? after : Math.Min(before, after);
            if (seen == 0)
                await client.CheckUserAccessAsync(realm, cancellationToken);
            if (seen >= counted)
            {
                await missing.AddUnseenAsync(run, request, scope, users.ShowsFederated(realm), cancellationToken);
                yield break;
            }

            if (pass == MostPasses)
            {
                LogHidden(realm, counted, seen);
                yield break;
            }

            LogAgain(realm, counted, seen);
            from = ScanPosition.Start;
        }
    }

    [LoggerMessage(EventId = 540, Level = LogLevel.Information,
        Message = "Realm {Realm} counts {Counted} users, and its list showed {Seen}: it is read again.")]
    private partial void LogAgain(string realm, long counted, long seen);

    [LoggerMessage(EventId = 541, Level = LogLevel.Warning,
        Message = "Realm {Realm} counts {Counted} users, and its list keeps showing {Seen}: no account is closed. "
            + "Check whether fine-grained permissions hide users from the bridge.")]
    private partial void LogHidden(string realm, long counted, long seen);
}
