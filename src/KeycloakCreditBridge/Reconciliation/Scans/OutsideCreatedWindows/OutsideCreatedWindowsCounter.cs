using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Reconciliation.Scans.OutsideCreatedWindows;

/// <summary>Counts users that no created window shows, at Keycloak and on record.</summary>
internal sealed class OutsideCreatedWindowsCounter(KeycloakClient client, KnownUserStore known, TimeProvider clock)
{
    private const int MostTries = 3;

    private static readonly TimeSpan BetweenTries = TimeSpan.FromSeconds(0.5);

    /// <summary>Asks for all the numbers at the same time.</summary>
    public async Task<OutsideCreatedWindowsCounts> AskAsync(ReconcileRun run, string realm, CancellationToken cancellationToken)
    {
        var users = client.CountUsersAsync(realm, cancellationToken);
        var dated = client.CountCreatedAsync(realm, CreatedWindow.All, cancellationToken);
        var onRecord = known.CountOutsideCreatedWindowsAsync(realm, run.Id, cancellationToken);
        await Task.WhenAll(users, dated, onRecord);
        return new OutsideCreatedWindowsCounts(await users, await dated, await onRecord);
    }

    /// <summary>
    /// How many users Keycloak has that neither windows show nor a record has. Users that the run did not see no longer count as recorded.
    /// </summary>
    /// <param name="run">The run.</param>
    /// <param name="realm">The realm's name.</param>
    /// <param name="just">The numbers, if they were just read.</param>
    /// <param name="cancellationToken">Ends the counting.</param>
    public async Task<long> UnexplainedAsync(
        ReconcileRun run, string realm, OutsideCreatedWindowsCounts? just, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var counts = attempt == 1 && just is not null ? just : await AskAsync(run, realm, cancellationToken);
            // A user may have been created between the counts.
            if (counts.Unexplained == 0 || attempt == MostTries)
                return counts.Unexplained;
            await Task.Delay(BetweenTries, clock, cancellationToken);
        }
    }
}

/// <param name="Users">Users that Keycloak counts.</param>
/// <param name="InCreatedWindows">Users that windows show, including service accounts.</param>
/// <param name="OnRecord">Users on record that windows do not show.</param>
internal sealed record OutsideCreatedWindowsCounts(long Users, long InCreatedWindows, RecordedOutsideCreatedWindows OnRecord)
{
    public long Unexplained => Users - (InCreatedWindows - OnRecord.Services) - OnRecord.Users;
}
