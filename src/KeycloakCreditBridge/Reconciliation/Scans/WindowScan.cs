using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Reconciliation.Scans.Undated;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation.Scans;

/// <summary>
/// Reads a realm by windows of creation, several at once and in order, and then whom windows do not show. A window costs Keycloak the same
/// wherever it lies and whatever the realm's size, and its place does not move when users come and go.
/// </summary>
internal sealed class WindowScan(
    KeycloakClient client,
    WindowReader reader,
    CrowdedWindow crowded,
    UndatedScan undated,
    AbsenteeStore absentees,
    IOptions<ReconciliationOptions> options,
    TimeProvider clock) : IScan
{
    public async IAsyncEnumerable<ScannedPart> ReadAsync(
        ReconcileRun run, ReconcileRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (run.Reached.Phase.Length == 0 && run.Reached.Number < CreatedWindow.Open)
        {
            var from = Math.Max(run.Reached.Number, Math.Max(0, request.Since?.ToUnixTimeMilliseconds() ?? 0));
            var hasSeen = run.IsContinued;
            await foreach (var part in ReadAsync(run, request.Realm, new CreatedWindow(from, CreatedWindow.Open), cancellationToken))
            {
                hasSeen |= part.Users.Count > 0;
                yield return part;
            }

            // Nobody at all: the realm has no users, or the bridge has lost the right to see them.
            if (!hasSeen)
                await client.CheckUsersAsync(request.Realm, cancellationToken);
        }

        await foreach (var part in undated.ReadAllAsync(run, request, ScanPosition.Start with { Number = CreatedWindow.Open }, cancellationToken))
            yield return part;
    }

    /// <summary>Reads whom a stretch of time shows.</summary>
    public async IAsyncEnumerable<ScannedPart> ReadAsync(
        ReconcileRun run, string realm, CreatedWindow all, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var plan = new WindowPlan(client, realm, options.Value.WindowUsers, all, clock.GetUtcNow().ToUnixTimeMilliseconds());
        using var abandoned = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Queue<Task<ReadWindow>> inFlight = [];
        try
        {
            while (!plan.IsAtEnd || inFlight.Count > 0)
            {
                while (!plan.IsAtEnd && inFlight.Count < options.Value.WindowsInFlight)
                {
                    var (window, counted) = await plan.NextAsync(cancellationToken);
                    inFlight.Enqueue(CrowdedWindow.IsOne(counted)
                        ? Task.FromResult(new ReadWindow(window, counted, [], clock.GetUtcNow(), IsComplete: false))
                        : reader.ReadAsync(realm, window, counted, abandoned.Token));
                }

                var read = await inFlight.Dequeue();
                if (CrowdedWindow.IsOne(read.Counted))
                {
                    await foreach (var part in crowded.ReadAsync(run, realm, read.Window, cancellationToken))
                        yield return part;
                }

                if (read.IsComplete)
                    await absentees.AddInWindowAsync(run, realm, read.Window, read.Users, read.ReadAt, cancellationToken);
                yield return new ScannedPart(read.Users, read.ReadAt, Behind(read.Window));
            }
        }
        finally
        {
            await abandoned.CancelAsync();
            await Task.WhenAll(inFlight).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }

    private static ScanPosition Behind(CreatedWindow window) =>
        ScanPosition.Start with { Number = window.To == CreatedWindow.Open ? CreatedWindow.Open : window.To + 1 };
}
