using KeycloakCreditBridge.Chaos.Evidence;
using KeycloakCreditBridge.Chaos.Plans;
using Npgsql;

namespace KeycloakCreditBridge.Chaos.Workload;

/// <summary>Carries out the steps of a plan when they are due, many at once.</summary>
internal sealed class WorkloadRun(Plan plan, PlannedUsers users, CreditCalls calls, GrantCalls grants, History history)
{
    private const int MostAtOnce = 24;

    private int _done;

    public int Done => _done;

    public async Task RunAsync(DateTimeOffset start, CancellationToken token)
    {
        using var places = new SemaphoreSlim(MostAtOnce, MostAtOnce);
        List<Task> running = [];
        foreach (var step in plan.Steps)
        {
            if (start + step.At - DateTimeOffset.UtcNow is var wait && wait > TimeSpan.Zero)
                await Task.Delay(wait, token);
            await places.WaitAsync(token);
            running.RemoveAll(task => task.IsCompletedSuccessfully);
            running.Add(Task.Run(
                async () =>
                {
                    try
                    {
                        await DoAsync(step, token);
                    }
                    finally
                    {
                        Interlocked.Increment(ref _done);
                        places.Release();
                    }
                },
                token));
        }

        await Task.WhenAll(running);
    }

    private async Task DoAsync(Step step, CancellationToken token)
    {
        try
        {
            if (step.Kind <= StepKind.RegisterByBroker)
                await users.RegisterAsync(step, token);
            else if (step.Kind == StepKind.Backfill)
                await calls.BackfillAsync(step);
            else if (step.Kind == StepKind.Campaign)
                await grants.MakeAsync(step);
            else if (users.IdOf(step.User) is { } id)
                await ActAsync(step, id, token);
        }
        catch (Exception exception) when (exception is HttpRequestException or InvalidOperationException or IOException or NpgsqlException)
        {
            // A user that another step has deleted cannot be changed.
            history.KeycloakFailures.Enqueue($"{step.Kind} of user {step.User}: {exception.Message}");
        }
    }

    private async Task ActAsync(Step step, string id, CancellationToken token)
    {
        switch (step.Kind)
        {
            case StepKind.Read:
                await calls.ReadAsync(step, id);
                break;
            case StepKind.Deduct:
                await calls.DeductAsync(step, id);
                break;
            case StepKind.Allocate:
                await calls.AllocateAsync(step, id);
                break;
            case StepKind.Track:
                await calls.TrackAsync(step, id);
                break;
            case StepKind.Refund:
                await calls.RefundAsync(step, id);
                break;
            case StepKind.Adjust:
                await calls.AdjustAsync(step, id);
                break;
            case StepKind.Meter:
                await calls.MeterAsync(step, id);
                break;
            case StepKind.EndGrant:
                await calls.EndGrantAsync(step, id);
                break;
            case StepKind.VoidGrant:
                await calls.VoidGrantAsync(step, id);
                break;
            case StepKind.SwitchTier:
                await calls.SwitchTierAsync(step, id);
                break;
            case StepKind.Redeem:
                await grants.RedeemAsync(step, id);
                break;
            case StepKind.Refer:
                await grants.ReferAsync(step, id, token);
                break;
            case StepKind.EndPeriod:
                await grants.EndPeriodAsync(id);
                break;
            default:
                await users.ChangeAsync(step, id, token);
                if (step.Kind == StepKind.Delete)
                    history.Deleted[id] = true;
                break;
        }
    }
}
