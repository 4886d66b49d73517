using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Reconciliation.Scans.OutsideCreatedWindows;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation.Scans.Windows;

/// <summary>
/// Reads a realm by created windows, several at a time and in order, and then the users that no window shows. A window costs Keycloak the
/// same in any place and realm, and created or deleted users do not move it.
/// </summary>
internal sealed class WindowScan(
    KeycloakClient client,
    WindowReader reader,
    OversizedWindow crowded,
    OutsideCreatedWindowsScan outside,
    MissingFromScanStore missing,
    IOptions<ReconciliationOptions> options,
    TimeProvider clock) : IScan
{
    // A window that fails is cut into this many parts, this often: the rest of the largest one holds a user or two.
    private const int Parts = 8;
    private const int MostRounds = 4;

    public async IAsyncEnumerable<ScannedPart> ReadAsync(
        ReconcileRun run, RunRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var failed = new FailedWindows(request.Realm);
        var behind = new ScanPosition("", CreatedWindow.Unbounded, []);
        if (run.Reached.Phase.Length == 0)
        {
            failed.Restore(run.Reached);
            await foreach (var part in ReadWindowsAsync(run, request, failed, cancellationToken))
                yield return part;
            await foreach (var part in NarrowAsync(run, request.Realm, failed, cancellationToken))
                yield return part.Part with { Reached = behind with { Tail = part.Left } };
        }

        behind = behind with { Tail = failed.Tail };
        await foreach (var part in outside.ReadAllAsync(run, request, behind, cancellationToken))
            yield return part;
        if (!failed.IsEmpty)
            yield return new ScannedPart([], clock.GetUtcNow(), behind);
        failed.ThrowIfAny();
    }

    /// <summary>Reads failed windows in narrower ones, until the rest holds little more than the users at fault.</summary>
    /// <returns>The users, and all windows still to be read should the run be interrupted.</returns>
    public async IAsyncEnumerable<(ScannedPart Part, IReadOnlyList<string> Left)> NarrowAsync(
        ReconcileRun run, string realm, FailedWindows failed, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // A window that an earlier run could not read may be readable by now, however narrow it is.
        for (var round = 0; round < MostRounds && (failed.AreWide || (round == 0 && !failed.IsEmpty)); round++)
        {
            var left = failed.Tail;
            foreach (var window in failed.TakeAll())
            {
                var counted = await client.CountCreatedAsync(realm, window, cancellationToken);
                await foreach (var part in ReadAsync(run, realm, window, (int)Math.Max(1, counted / Parts), failed, cancellationToken))
                    yield return (part, left);
            }
        }
    }

    private async IAsyncEnumerable<ScannedPart> ReadWindowsAsync(
        ReconcileRun run, RunRequest request, FailedWindows failed, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (run.Reached.Number >= CreatedWindow.Unbounded)
            yield break;
        var from = Math.Max(run.Reached.Number, Math.Max(0, request.Since?.ToUnixTimeMilliseconds() ?? 0));
        var hasSeen = run.IsResumed;
        await foreach (
            var part in ReadAsync(run, request.Realm, new CreatedWindow(from, CreatedWindow.Unbounded), failed, cancellationToken))
        {
            hasSeen |= part.Users.Count > 0 || !failed.IsEmpty;
            yield return part;
        }

        // No user at all: the realm has none, or the bridge has lost the right to see them.
        if (!hasSeen)
            await client.CheckUserAccessAsync(request.Realm, cancellationToken);
    }

    /// <summary>Reads the users created in a stretch of time.</summary>
    /// <param name="run">The run.</param>
    /// <param name="realm">The realm's name.</param>
    /// <param name="all">The stretch.</param>
    /// <param name="failed">Takes windows that cannot be read.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public IAsyncEnumerable<ScannedPart> ReadAsync(
        ReconcileRun run, string realm, CreatedWindow all, FailedWindows failed, CancellationToken cancellationToken) =>
        ReadAsync(run, realm, all, options.Value.WindowUsers, failed, cancellationToken);

    private async IAsyncEnumerable<ScannedPart> ReadAsync(
        ReconcileRun run, string realm, CreatedWindow all, int users, FailedWindows failed,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var plan = new WindowPlan(client, realm, users, all, clock.GetUtcNow().ToUnixTimeMilliseconds());
        using var abandoned = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Queue<(CreatedWindow Window, Task<ReadWindow> Reading)> inFlight = [];
        try
        {
            while (!plan.IsAtEnd || inFlight.Count > 0)
            {
                while (!plan.IsAtEnd && inFlight.Count < options.Value.WindowsInFlight)
                {
                    var (window, counted) = await plan.NextAsync(cancellationToken);
                    inFlight.Enqueue((window, crowded.IsOversized(counted)
                        ? Task.FromResult(new ReadWindow(window, counted, [], clock.GetUtcNow(), IsComplete: false))
                        : reader.ReadAsync(realm, window, counted, abandoned.Token)));
                }

                var next = inFlight.Dequeue();
                if (await failed.TryAsync(next.Window, next.Reading) is not { } read)
                {
                    yield return new ScannedPart([], clock.GetUtcNow(), Behind(next.Window, failed));
                    continue;
                }

                if (crowded.IsOversized(read.Counted))
                {
                    var position = new ScanPosition("", read.Window.From, failed.Tail);
                    await using var pages = crowded.ReadAsync(
                        run, realm, read.Window, read.Counted, cancellationToken).GetAsyncEnumerator(cancellationToken);
                    while (await failed.TryAsync(read.Window, pages.MoveNextAsync().AsTask()))
                        yield return pages.Current with { Reached = position };
                }

                if (read.IsComplete)
                    await missing.AddInWindowAsync(run, realm, read.Window, read.Users, read.ReadAt, cancellationToken);
                yield return new ScannedPart(read.Users, read.ReadAt, Behind(read.Window, failed));
            }
        }
        finally
        {
            await abandoned.CancelAsync();
            await Task.WhenAll(inFlight.Select(Task (next) => next.Reading)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static ScanPosition Behind(CreatedWindow window, FailedWindows failed) =>
        new("", window.To == CreatedWindow.Unbounded ? CreatedWindow.Unbounded : window.To + 1, failed.Tail);
}
