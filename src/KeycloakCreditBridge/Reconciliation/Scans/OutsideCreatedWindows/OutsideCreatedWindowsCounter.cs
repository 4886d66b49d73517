using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Reconciliation.Scans.OutsideCreatedWindows;

/// <summary>Counts people whom no window of creation shows, at Keycloak and on record.</summary>
internal sealed class OutsideCreatedWindowsCounter(KeycloakClient client, KnownUserStore known, TimeProvider clock)
{
    private const int MostTries = 3;

    private static readonly TimeSpan BetweenTries = TimeSpan.FromSeconds(0.5);

    /// <summary>Asks for all that this takes, at the same time.</summary>
    public async Task<OutsideCreatedWindowsCounts> AskAsync(ReconcileRun run, string realm, CancellationToken cancellationToken)
    {
        var people = client.CountUsersAsync(realm, cancellationToken);
        var dated = client.CountCreatedAsync(realm, CreatedWindow.All, cancellationToken);
        var onRecord = known.CountOutsideCreatedWindowsAsync(realm, run.Id, cancellationToken);
        await Task.WhenAll(people, dated, onRecord);
        return new OutsideCreatedWindowsCounts(await people, await dated, await onRecord);
    }

    /// <summary>How many people Keycloak has whom neither windows show nor a record has; whom the run found gone is not on record any more.</summary>
    /// <param name="run">The run.</param>
    /// <param name="realm">The realm's name.</param>
    /// <param name="just">What was just asked, if it was.</param>
    /// <param name="cancellationToken">Ends the counting.</param>
    public async Task<long> UnexplainedAsync(ReconcileRun run, string realm, OutsideCreatedWindowsCounts? just, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var counts = attempt == 1 && just is not null ? just : await AskAsync(run, realm, cancellationToken);
            // Somebody may have come between the counts.
            if (counts.Unexplained == 0 || attempt == MostTries)
                return counts.Unexplained;
            await Task.Delay(BetweenTries, clock, cancellationToken);
        }
    }
}

/// <param name="Users">Whom Keycloak counts.</param>
/// <param name="InCreatedWindows">Users whom windows show, service accounts among them.</param>
/// <param name="OnRecord">Those on record whom they do not show.</param>
internal sealed record OutsideCreatedWindowsCounts(long Users, long InCreatedWindows, RecordedOutsideCreatedWindows OnRecord)
{
    public long Unexplained => Users - (InCreatedWindows - OnRecord.Services) - OnRecord.Undated;
}
