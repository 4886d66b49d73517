namespace KeycloakCreditBridge.Reconciliation.Runs;

/// <summary>
/// A scheduled run that has to list the whole realm keeps Keycloak sorting. It may spend a tenth of the time on that: a realm that is
/// listed in seconds is listed at every time of the schedule, a large one less often.
/// </summary>
internal sealed class ListThrottle(CompleteRunStore runs, TimeProvider clock)
{
    private const int PauseFactor = 9;

    // The daily run reads everything anyway.
    private static readonly TimeSpan LongestPause = TimeSpan.FromDays(1);

    /// <summary>When the realm may be listed again; null if it need not wait.</summary>
    public async Task<DateTimeOffset?> UntilAsync(string realm, CancellationToken cancellationToken)
    {
        if (await runs.LastListAsync(realm, cancellationToken) is not { } last)
            return null;
        var pause = last.Took * PauseFactor;
        var until = last.EndedAt + (pause < LongestPause ? pause : LongestPause);
        return until > clock.GetUtcNow() ? until : null;
    }
}
