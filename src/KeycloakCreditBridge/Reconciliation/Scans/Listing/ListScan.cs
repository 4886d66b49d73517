using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Reconciliation.Scans.Listing;

/// <summary>
/// Reads a realm's people by user name. Keycloak sorts the realm for each page, and a page may miss who was moved while it was read: a
/// listing that shows fewer people than Keycloak counts is read once more, and nobody is taken for gone before they agree.
/// </summary>
internal sealed partial class ListScan(
    KeycloakClient client,
    UserListing people,
    MissingFromScanStore absentees,
    ILogger<ListScan> logger) : IScan
{
    private const int MostPasses = 3;

    public IAsyncEnumerable<ScannedPart> ReadAsync(ReconcileRun run, RunRequest request, CancellationToken cancellationToken) =>
        ReadAsync(run, request, run.Reached, MissingScope.Listed, cancellationToken);

    /// <summary>Reads from a place on, and notes whom of <paramref name="scope"/> it did not show.</summary>
    public async IAsyncEnumerable<ScannedPart> ReadAsync(
        ReconcileRun run, RunRequest request, ScanPosition from, MissingScope scope, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var realm = request.Realm;
        for (var pass = 1; ; pass++)
        {
            var isAgain = pass > 1;
            var imports = false;
            var before = await client.CountUsersAsync(realm, cancellationToken);
            await foreach (var part in people.ReadAsync(realm, from, cancellationToken))
            {
                await absentees.AddSeenAsync(run.Id, part.Users, cancellationToken);
                imports |= part.Imports;
                yield return part with { StartedOver = part.StartedOver || isAgain };
                isAgain = false;
            }

            var seen = await absentees.CountSeenAsync(run.Id, cancellationToken);
            // Who came or went meanwhile is in one of the counts only; whom the list itself had imported is in the second.
            var after = await client.CountUsersAsync(realm, cancellationToken);
            var counted = imports ? after : Math.Min(before, after);
            if (seen == 0)
                await client.CheckUserAccessAsync(realm, cancellationToken);
            if (seen >= counted)
            {
                await absentees.AddUnseenAsync(run, request, scope, people.ShowsFederated(realm), cancellationToken);
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
        Message = "Realm {Realm} counts {Counted} people, and its list showed {Seen}: it is read once more.")]
    private partial void LogAgain(string realm, long counted, long seen);

    [LoggerMessage(EventId = 541, Level = LogLevel.Warning,
        Message = "Realm {Realm} counts {Counted} people, and its list keeps showing {Seen}: nobody is taken for gone. " +
            "Fine-grained permissions that hide users from the bridge would explain it.")]
    private partial void LogHidden(string realm, long counted, long seen);
}
