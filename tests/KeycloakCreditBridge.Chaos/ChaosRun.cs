using System.Data;
using System.Globalization;
using KeycloakCreditBridge.Chaos.Checks;
using KeycloakCreditBridge.Chaos.Evidence;
using KeycloakCreditBridge.Chaos.Faults;
using KeycloakCreditBridge.Chaos.Plans;
using KeycloakCreditBridge.Chaos.Workload;
using KeycloakCreditBridge.Chaos.World;

namespace KeycloakCreditBridge.Chaos;

/// <summary>Carries out a plan in a world, waits until it is calm, and collects what the checks go by.</summary>
internal sealed class ChaosRun(ChaosWorld world, Plan plan, Action<string> say)
{
    private static readonly TimeSpan LongestCalm = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Progress = TimeSpan.FromSeconds(15);

    private readonly History _history = new();

    /// <summary>How long it took from the end of all faults until everything was as it should be; null where it never was.</summary>
    public TimeSpan? TimeToCalm { get; private set; }

    public async Task<CaseFile> RunAsync(CancellationToken token)
    {
        using var api = new BridgeApi(world);
        using var observer = new Observer(world);
        using var stop = new CancellationTokenSource();
        var watching = observer.WatchAsync(stop.Token);
        var users = new PlannedUsers(world, plan);
        var calls = new CreditCalls(api, _history);
        var workload = new WorkloadRun(plan, users, calls, new GrantCalls(world, users, api, calls, _history), _history);
        var faults = new FaultRun(world, plan);
        var start = DateTimeOffset.UtcNow;
        var work = Task.WhenAll(workload.RunAsync(start, token), faults.RunAsync(start, token));
        while (await Task.WhenAny(work, Task.Delay(Progress, token)) != work)
        {
            say(string.Create(
                CultureInfo.InvariantCulture,
                $"  {(DateTimeOffset.UtcNow - start).TotalSeconds,5:0} s  {workload.Done:N0} of {plan.Steps.Count:N0} steps, "
                + $"{faults.Injected.Count:N0} of {plan.Faults.Count:N0} faults"));
        }

        await work;
        var file = await CalmAsync(token);
        await stop.CancelAsync();
        await watching;
        return file with
        {
            Faults = faults.Injected,
            Scrapes = [.. observer.Scrapes],
            Log = [.. world.Replicas.SelectMany(replica => replica.Log.Select(line => (replica.Number, line)))],
            Ends = [.. world.Replicas.SelectMany(replica => replica.Ends)],
        };
    }

    private async Task<CaseFile> ReadAsync(CancellationToken token)
    {
        // What is taken after this may be recorded after the rest is read.
        var taken = world.Sink.Taken;
        var users = await CaseFile.ListUsersAsync(world, token);
        await using var connection = await world.DataSource.OpenConnectionAsync(token);
        await using var oneState = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, token);
        return await CaseFile.ReadAsync(connection, _history, users) with { TakenEvents = taken };
    }

    // What is read when nothing is left to do is what the checks go by: later polls and logins may bring hints again.
    private async Task<CaseFile> CalmAsync(CancellationToken token)
    {
        var since = DateTimeOffset.UtcNow;
        while (true)
        {
            var file = await ReadAsync(token);
            var isCalm = !AccountChecks.Accounts(file).Concat(LedgerChecks.Backlog(file)).Concat(EventChecks.Untaken(file)).Any();
            var passed = DateTimeOffset.UtcNow - since;
            if (isCalm)
                TimeToCalm = passed;
            if (isCalm || passed > LongestCalm)
                return file;
            await Task.Delay(TimeSpan.FromSeconds(1), token);
        }
    }
}
