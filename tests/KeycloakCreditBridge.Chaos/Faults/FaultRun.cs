using System.Collections.Concurrent;
using KeycloakCreditBridge.Chaos.Plans;
using KeycloakCreditBridge.Chaos.Proxies;
using KeycloakCreditBridge.Chaos.World;

namespace KeycloakCreditBridge.Chaos.Faults;

/// <summary>Carries out the faults of a plan when they are due. Faults of one process or of PostgreSQL wait for each other.</summary>
internal sealed class FaultRun(ChaosWorld world, Plan plan)
{
    // Statements whose answers are lost, as parts of their texts: what opens accounts, writes hints, changes balances, stores reports.
    private static readonly string[] Commits = ["keycloak_users", "user_hints", "credit_transactions", "usage_batches", "idempotency_keys"];

    // A fault that no request has met until then is taken back.
    private static readonly TimeSpan Armed = TimeSpan.FromSeconds(6);

    private readonly ConcurrentQueue<InjectedFault> _injected = new();

    public IReadOnlyCollection<InjectedFault> Injected => _injected;

    public async Task RunAsync(DateTimeOffset start, CancellationToken token)
    {
        List<Task> running = [];
        foreach (var fault in plan.Faults)
        {
            if (start + fault.At - DateTimeOffset.UtcNow is var wait && wait > TimeSpan.Zero)
                await Task.Delay(wait, token);
            running.Add(InjectAsync(fault, token));
        }

        await Task.WhenAll(running);
    }

    private async Task InjectAsync(PlannedFault fault, CancellationToken token)
    {
        var replica = world.Replicas[fault.Replica];
        switch (fault.Kind)
        {
            case FaultKind.Kill:
                await InTurnAsync(replica.Turn, fault, () => RestartAsync(replica.KillAsync, replica, fault));
                break;
            case FaultKind.Terminate:
                await InTurnAsync(replica.Turn, fault, () => RestartAsync(replica.TerminateAsync, replica, fault));
                break;
            case FaultKind.Suspend:
                await InTurnAsync(replica.Turn, fault, () => SuspendAsync(replica, fault));
                break;
            case FaultKind.DatabaseCrash:
                await InTurnAsync(world.DatabaseTurn, fault, () => CrashDatabaseAsync(fault, token));
                break;
            case FaultKind.DatabaseHalfOpen:
                await InTurnAsync(world.DatabaseTurn, fault, () => HalfOpenAsync(replica.Database, fault));
                break;
            case FaultKind.SessionsCut:
                await InTurnAsync(world.DatabaseTurn, fault, () => Task.FromResult(replica.Database.CutAll()));
                break;
            case FaultKind.CallersCut:
                Record(fault, DateTimeOffset.UtcNow, replica.Front.CutAll());
                break;
            case FaultKind.EventsWiped:
                Record(fault, DateTimeOffset.UtcNow, 1);
                await world.Admin.DeleteEventsAsync(ChaosWorld.Realm, token);
                break;
            case FaultKind.AnswerCut:
                await ArmAsync(replica.CommitFaults, fault, Commits[fault.Count % Commits.Length]);
                break;
            case FaultKind.SinkRefused or FaultKind.SinkAnswerLost:
                await ArmAsync(world.Sink.Armed, fault, "");
                break;
            case FaultKind.WebhookReordered:
                await ArmAsync(world.Webhooks.Armed, fault, "");
                await world.Webhooks.ReleaseAsync();
                break;
            case FaultKind.WebhookLost or FaultKind.WebhookDoubled or FaultKind.WebhookDelayed or FaultKind.WebhookReplayed:
                await ArmAsync(world.Webhooks.Armed, fault, "");
                break;
            default:
                await ArmAsync(world.KeycloakFaults.Armed, fault, "");
                break;
        }
    }

    private static async Task<int> RestartAsync(Func<Task> end, Replica replica, PlannedFault fault)
    {
        await end();
        await Task.Delay(fault.Length);
        replica.Launch();
        // The next fault of this process meets one that works, or that has had the time to.
        await Task.Delay(TimeSpan.FromSeconds(3));
        return 1;
    }

    private static async Task<int> SuspendAsync(Replica replica, PlannedFault fault)
    {
        await replica.SuspendAsync();
        await Task.Delay(fault.Length);
        await replica.ResumeAsync();
        return 1;
    }

    private async Task<int> CrashDatabaseAsync(PlannedFault fault, CancellationToken token)
    {
        await world.Postgres.StopAsync(immediate: true);
        await Task.Delay(fault.Length, token);
        await world.Postgres.StartAgainAsync(token);
        return 1;
    }

    private static async Task<int> HalfOpenAsync(TcpProxy proxy, PlannedFault fault)
    {
        proxy.Freeze();
        await Task.Delay(fault.Length);
        var cut = proxy.CutAll();
        proxy.Thaw();
        return cut;
    }

    private async Task InTurnAsync(SemaphoreSlim turn, PlannedFault fault, Func<Task<int>> inject)
    {
        await turn.WaitAsync();
        try
        {
            var from = DateTimeOffset.UtcNow;
            Record(fault, from, await inject());
        }
        finally
        {
            turn.Release();
        }
    }

    private async Task ArmAsync(ArmedFaults place, PlannedFault fault, string about)
    {
        var armed = new ArmedFault(fault.Kind, fault.Kind == FaultKind.AnswerCut ? 1 : fault.Count, fault.Length, about);
        place.Arm(armed);
        var armedAt = DateTimeOffset.UtcNow;
        while (!armed.IsUsedUp && DateTimeOffset.UtcNow - armedAt < Armed)
            await Task.Delay(TimeSpan.FromMilliseconds(50));
        armed.Disarm();
        Record(fault, armed.Hits is [var first, ..] ? first : armedAt, armed.Hits.Count, armed.Met);
    }

    private void Record(PlannedFault fault, DateTimeOffset from, int hits, string met = "") =>
        _injected.Enqueue(new InjectedFault(fault, from, DateTimeOffset.UtcNow, hits, met));
}
