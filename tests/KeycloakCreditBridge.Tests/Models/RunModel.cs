using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Models;

/// <param name="Owner">The replica that has it at work; empty where none has.</param>
internal sealed record RunRow(string Status, long Position, bool IsCancelled, string Owner);

/// <summary>What `reconcile_runs` must be, and two replicas that change it.</summary>
internal sealed class RunModel(TestDatabase database, SessionCuts cuts)
{
    private const string Realm = "demo";
    private const string Lease = $"reconcile:{Realm}";

    private static readonly TimeSpan LeaseLength = TimeSpan.FromSeconds(30);
    private static readonly ReconcileStatus[] Ends = [ReconcileStatus.Done, ReconcileStatus.Failed, ReconcileStatus.Stopped];

    private readonly ManualTimeProvider _clock = new(TimeProvider.System.GetUtcNow());
    private readonly ReconcileRun?[] _atWork = new ReconcileRun?[2];
    private SortedDictionary<long, RunRow> _rows = [];
    private (string Owner, DateTimeOffset Until) _lease = ("", DateTimeOffset.MinValue);
    private int _owners;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private DateTimeOffset Now => _clock.GetUtcNow();

    private RequestedRunStore Requests => new(database.DataSource);

    private ReconcileRunStore Runs => new(database.DataSource);

    private LeaseStore Leases => new(database.DataSource, _clock);

    private bool IsLeft => _rows.Values.Any(
        row => row.Status is "waiting" or "running" || row is { Status: "stopped", IsCancelled: false });

    public async Task StepAsync(int kind, int replica, int choice, bool cut)
    {
        _clock.Advance(TimeSpan.FromSeconds(1));
        switch (kind)
        {
            case < 3:
                await AskAsync(cut);
                break;
            case < 8:
                await BeginAsync(replica, cut);
                break;
            case < 11:
                await SaveAsync(replica, cut);
                break;
            case < 13:
                await EndAsync(replica, Ends[choice % Ends.Length], cut);
                break;
            case 13:
                _atWork[replica] = null;
                break;
            case 14:
                await CancelAsync(choice, cut);
                break;
            case < 18:
                _clock.Advance(LeaseLength);
                break;
            default:
                await RequeueAsync(cut);
                break;
        }

        Assert.Equal(_rows, await ReadAsync());
        Assert.InRange(_rows.Values.Count(row => row.Status == "running"), 0, 1);
    }

    /// <summary>Has all that is left done.</summary>
    public async Task DrainAsync()
    {
        for (var rounds = 0; IsLeft; rounds++)
        {
            Assert.InRange(rounds, 0, _rows.Count);
            _atWork[0] = null;
            _clock.Advance(LeaseLength);
            await RequeueAsync(cut: false);
            await BeginAsync(0, cut: false);
            await EndAsync(0, ReconcileStatus.Done, cut: false);
            Assert.Equal(_rows, await ReadAsync());
        }
    }

    private async Task AskAsync(bool cut)
    {
        await cuts.TryAsync(
            cut, () => Requests.EnqueueAsync(new RunRequest(Realm, RunTriggers.Http, Mode: ReconcileMode.List), Now, Token));
        await SettleAsync(cut);
        // Its number is the database's; where the session was cut it may not be there.
        var added = (await ReadAsync()).Where(row => !_rows.ContainsKey(row.Key)).ToArray();
        Assert.InRange(added.Length, cut ? 0 : 1, 1);
        foreach (var (id, row) in added)
            _rows[id] = row;
        Assert.All(added, one => Assert.Equal(new RunRow("waiting", 0, false, ""), one.Value));
    }

    private async Task BeginAsync(int replica, bool cut)
    {
        if (_atWork[replica] is not null)
            return;
        var waiting = await Requests.WaitingAsync([Realm], Token);
        Assert.Equal(_rows.Where(row => row.Value.Status == "waiting").Select(row => row.Key), waiting.Select(one => one.Run));
        var owner = $"{replica}-{++_owners}";
        if (waiting.Count == 0 || !await TakeLeaseAsync(owner))
            return;
        var id = waiting[0].Run;
        var request = new RunRequest(Realm, RunTriggers.Http, Mode: ReconcileMode.List, WaitingRun: id);
        ReconcileRun? begun = null;
        await ChangeAsync(
            cut,
            async () => begun = await Runs.BeginAsync(
                request, ReconcileMode.List, owner, Now, Now.AddDays(-1), Now.AddDays(-30), Token),
            (number, row) => number == id ? row with { Status = "running", Owner = owner }
                : row.Status == "running" ? row with { Status = row.IsCancelled ? "cancelled" : "waiting", Owner = "" }
                : row);
        if (begun is not null)
            Assert.Equal(_rows[id].Position, begun.Reached.Number);
        _atWork[replica] = begun;
    }

    private async Task SaveAsync(int replica, bool cut)
    {
        if (_atWork[replica] is not { } run)
            return;
        var (before, saved) = (_rows[run.Id], (bool?)null);
        var further = run with { Reached = new ScanPosition("list", run.Reached.Number + 10, []) };
        var isKnown = await ChangeAsync(
            cut, async () => saved = await Runs.SaveAsync(further, new ReconcileProgress(Realm, 100, new(), 1, null), Now, Token),
            (number, row) => number == run.Id && IsHeld(row, run) ? row with { Position = further.Reached.Number } : row);
        if (isKnown)
            Assert.Equal(IsHeld(before, run) ? before.IsCancelled : null, saved);
        _atWork[replica] = isKnown && saved is not null ? further : null;
        if (_atWork[replica] is not null)
            await TakeLeaseAsync(run.Owner);
    }

    private async Task EndAsync(int replica, ReconcileStatus status, bool cut)
    {
        if (_atWork[replica] is not { } run)
            return;
        _atWork[replica] = null;
        await ChangeAsync(
            cut, () => Runs.EndAsync(run, status, null, Now, Token),
            (number, row) => number == run.Id && IsHeld(row, run) ? row with { Status = status.ToString().ToLowerInvariant() } : row);
        await Leases.ReleaseAsync(Lease, run.Owner, Token);
        if (_lease.Owner == run.Owner)
            _lease = ("", DateTimeOffset.MinValue);
    }

    private async Task CancelAsync(int choice, bool cut)
    {
        if (_rows.Count == 0)
            return;
        var id = _rows.Keys.ElementAt(choice % _rows.Count);
        await ChangeAsync(
            cut, () => Requests.CancelAsync(Realm, id, Now, Token),
            (number, row) => number != id || row.Status is not ("waiting" or "running") ? row
                : row with { IsCancelled = true, Status = row.Status == "waiting" ? "cancelled" : row.Status });
    }

    private Task<bool> RequeueAsync(bool cut) => ChangeAsync(
        cut, () => Requests.RequeueInterruptedAsync([Realm], Now, Now.AddDays(-1), Now.AddMinutes(-5), Token),
        (_, row) => !row.IsCancelled && (row.Status == "stopped" || (row.Status == "running" && _lease.Until <= Now))
            ? row with { Status = "waiting", Owner = "" }
            : row);

    private async Task<bool> TakeLeaseAsync(string owner)
    {
        var isFree = _lease.Owner == owner || _lease.Until <= Now;
        Assert.Equal(isFree, await Leases.TakeAsync(Lease, owner, LeaseLength, Token));
        if (isFree)
            _lease = (owner, Now + LeaseLength);
        return isFree;
    }

    // False where the session was cut: then the table is as it was or as it would be, and the model goes on from what it is.
    private async Task<bool> ChangeAsync(bool cut, Func<Task> work, Func<long, RunRow, RunRow> change)
    {
        var isKnown = await cuts.TryAsync(cut, work);
        await SettleAsync(cut);
        SortedDictionary<long, RunRow> after = new(_rows.ToDictionary(row => row.Key, row => change(row.Key, row.Value)));
        if (isKnown || !_rows.SequenceEqual(await ReadAsync()))
            _rows = after;
        return isKnown;
    }

    private Task SettleAsync(bool cut) => cut ? cuts.SettleAsync() : Task.CompletedTask;

    private static bool IsHeld(RunRow row, ReconcileRun run) => row.Status == "running" && row.Owner == run.Owner;

    private async Task<SortedDictionary<long, RunRow>> ReadAsync() => new((await database.QueryAsync<(long, string, long, bool, string)>(
        "select id, status, position, cancel_asked, owner from reconcile_runs"))
        .ToDictionary(row => row.Item1, row => new RunRow(row.Item2, row.Item3, row.Item4, row.Item5)));
}
