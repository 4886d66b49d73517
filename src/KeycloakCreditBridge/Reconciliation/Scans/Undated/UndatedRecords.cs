using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Provisioning;
using KeycloakCreditBridge.Reconciliation.Runs;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation.Scans.Undated;

/// <summary>Reads people on record whom no window shows, each by id: far fewer questions than listing the realm for their sake.</summary>
internal sealed class UndatedRecords(
    KnownUserStore known, SubjectReader reader, AbsenteeStore absentees, IOptions<HintOptions> options, TimeProvider clock)
{
    private const int BatchUsers = 500;

    // One question costs Keycloak about as much as listing so many people.
    private const int ListedForOne = 20;
    private const int FewUsers = 100;

    /// <summary>Whether listing the realm would cost Keycloak more.</summary>
    public static bool AreFew(long undated, long people) => undated <= Math.Max(FewUsers, people / ListedForOne);

    /// <summary>Reads them, and notes who is gone.</summary>
    /// <param name="run">The run.</param>
    /// <param name="realm">The realm's name.</param>
    /// <param name="position">Where the run is meanwhile: this is begun anew when it is interrupted.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async IAsyncEnumerable<ScannedPart> ReadAsync(
        ReconcileRun run, string realm, ScanPosition position, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var batch = await known.UndatedAfterAsync(realm, "", BatchUsers, cancellationToken);
        while (batch.Count > 0)
        {
            var readAt = clock.GetUtcNow();
            var found = new ConcurrentBag<Subject>();
            var gone = new ConcurrentBag<string>();
            var problems = new ConcurrentBag<string>();
            var parallel = new ParallelOptions { MaxDegreeOfParallelism = options.Value.Readers, CancellationToken = cancellationToken };
            await Parallel.ForEachAsync(batch, parallel, async (keycloakId, token) =>
            {
                try
                {
                    if (await reader.ReadAsync(realm, keycloakId, token) is { } subject)
                        found.Add(subject);
                    else
                        gone.Add(keycloakId);
                }
                catch (KeycloakProtocolException exception)
                {
                    // This user's own trouble: thrown on, it would end every run here.
                    problems.Add($"User {keycloakId} could not be read: {exception.Message}");
                }
            });
            if (!gone.IsEmpty)
                await absentees.AddAsync(run.Id, gone, cancellationToken);
            yield return new ScannedPart([.. found], readAt, position) { Problems = [.. problems] };
            batch = await known.UndatedAfterAsync(realm, batch[^1], BatchUsers, cancellationToken);
        }
    }
}
