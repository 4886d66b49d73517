using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Reconciliation.Runs;

/// <summary>
/// Where a quick run has to list the whole realm, which keeps Keycloak sorting, it spends a tenth of the time on that at most: realms that
/// are listed in seconds are listed at every time of the schedule, and large ones less often.
/// </summary>
internal sealed class ListThrottle(ScanChoice scans, CompleteRunStore runs, TimeProvider clock)
{
    private const int TimesAsLong = 9;

    // What is read completely anyway, once a day.
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    /// <summary>When the realm may be listed again; null if it need not wait.</summary>
    public async Task<DateTimeOffset?> UntilAsync(RunRequest request, CancellationToken cancellationToken)
    {
        try
        {
            if (await scans.ChooseAsync(request, cancellationToken) != ReconcileMode.List)
                return null;
        }
        catch (KeycloakException)
        {
            // The run finds it too, and says so.
            return null;
        }

        if (await runs.LastListAsync(request.Realm, cancellationToken) is not { } last)
            return null;
        var rest = last.Took * TimesAsLong;
        var until = last.EndedAt + (rest < Longest ? rest : Longest);
        return until > clock.GetUtcNow() ? until : null;
    }
}
