using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Reconciliation.Scans.OutsideCreatedWindows;

namespace KeycloakCreditBridge.Reconciliation.Scans.Windows;

/// <summary>
/// Finds created windows that count more or fewer users than are on record, by halving those that differ: k missing users among N are found
/// in about k * log2(N) counts. It sees neither a missing and a deleted user of the same window nor a disabled user: a complete scan does.
/// </summary>
internal sealed class CountScan(
    KeycloakClient client,
    KnownUserStore known,
    WindowReader reader,
    WindowScan windows,
    OutsideCreatedWindowsCounter outsideCounter,
    OutsideCreatedWindowsScan outside,
    MissingFromScanStore missing,
    TimeProvider clock) : IScan
{
    // Listing as many costs Keycloak about as much as counting twice.
    private const int LeafUsers = 100;

    // Where so large a part differs, halving saves no listing.
    private const int DenseShare = 8;

    public async IAsyncEnumerable<ScannedPart> ReadAsync(
        ReconcileRun run, RunRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var failed = new FailedWindows(request.Realm);
        var reached = run.Reached.Phase.Length == 0 ? run.Reached.Number : 0;
        var all = new CreatedWindow(Math.Max(reached, Math.Max(0, request.Since?.ToUnixTimeMilliseconds() ?? 0)), CreatedWindow.Unbounded);
        // Usually nothing differs and these are all the questions, so they are asked at the same time.
        var (counting, knowing) = (
            outsideCounter.AskAsync(run, request.Realm, cancellationToken), known.CountAsync(request.Realm, all, cancellationToken));
        await Task.WhenAll(counting, knowing);
        var (counts, inAll) = (await counting, await knowing);
        var whole = new ComparedWindow(
            all, all == CreatedWindow.All ? counts.InCreatedWindows : await client.CountCreatedAsync(request.Realm, all, cancellationToken),
            inAll);
        await foreach (var part in CompareAsync(run, request.Realm, whole, failed, cancellationToken))
            yield return part;
        await foreach (var (part, _) in windows.NarrowAsync(run, request.Realm, failed, cancellationToken))
            yield return part with { Reached = ScanPosition.Start };
        var just = whole.Differs ? null : counts;
        await foreach (var part in outside.ReadIfCountsDifferAsync(run, request, ScanPosition.Start, just, cancellationToken))
            yield return part;
        // The next counts find the unread windows by themselves.
        if (!failed.IsEmpty)
            yield return new ScannedPart([], clock.GetUtcNow(), ScanPosition.Start);
        failed.ThrowIfAny();
    }

    // From the past on: everything before a part was compared.
    private async IAsyncEnumerable<ScannedPart> CompareAsync(
        ReconcileRun run, string realm, ComparedWindow all, FailedWindows failed,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Stack<ComparedWindow> differing = [];
        Push(all);
        while (differing.TryPop(out var next))
        {
            if (next.IsDense)
            {
                await foreach (var part in windows.ReadAsync(run, realm, next.Window, failed, cancellationToken))
                    yield return part with { Reached = At(part.Reached.Number) };
            }
            else if (next.IsLeaf)
            {
                if (
                    await failed.TryAsync(
                        next.Window, reader.ReadAsync(realm, next.Window, next.Counted, cancellationToken)) is not { } read)
                    continue;
                if (read.IsComplete)
                    await missing.AddInWindowAsync(run, realm, read.Window, read.Users, read.ReadAt, cancellationToken);
                yield return new ScannedPart(read.Users, read.ReadAt, At(read.Window.To + 1));
            }
            else
            {
                var (before, behind) = await HalveAsync(realm, next, cancellationToken);
                Push(behind);
                Push(before);
            }
        }

        void Push(ComparedWindow window)
        {
            if (window.Differs)
                differing.Push(window);
        }
    }

    // After the last window a run does not resume: comparing anew costs less than what a run that fails there would miss.
    private static ScanPosition At(long next) => ScanPosition.Start with { Number = next is > 0 and < CreatedWindow.Unbounded ? next : 0 };

    // Keycloak counts one half: the other is the rest.
    private async Task<(ComparedWindow Before, ComparedWindow Behind)> HalveAsync(
        string realm, ComparedWindow window, CancellationToken cancellationToken)
    {
        var (from, to) = window.Window;
        // Users on record have left the window meanwhile: it is compared anew.
        if (await known.MiddleAsync(realm, window.Window, window.Known / 2, cancellationToken) is not { } middle)
            return (
                window with { Known = await known.CountAsync(realm, window.Window, cancellationToken) },
                window with { Counted = 0, Known = 0 });
        var cut = middle.CreatedAt.ToUnixTimeMilliseconds();
        var knownBefore = middle.Before;
        // The whole first half shares the window's first millisecond: that millisecond alone is the first half.
        if (cut == from)
        {
            cut = from + 1;
            knownBefore = await known.CountAsync(realm, new CreatedWindow(from, from), cancellationToken);
        }

        var before = new CreatedWindow(from, cut - 1);
        var counted = await client.CountCreatedAsync(realm, before, cancellationToken);
        return (
            new ComparedWindow(before, counted, knownBefore),
            new ComparedWindow(new CreatedWindow(cut, to), Math.Max(0, window.Counted - counted), window.Known - knownBefore));
    }

    /// <param name="Counted">How many users Keycloak counts in it.</param>
    /// <param name="Known">How many are on record.</param>
    private sealed record ComparedWindow(CreatedWindow Window, long Counted, long Known)
    {
        public bool Differs => Counted != Known;

        public bool IsLeaf => Counted <= LeafUsers && Known <= LeafUsers;

        public bool IsDense =>
            !IsLeaf && (Known == 0 || Window.From == Window.To || Math.Abs(Counted - Known) > Math.Max(LeafUsers, Known / DenseShare));
    }
}
