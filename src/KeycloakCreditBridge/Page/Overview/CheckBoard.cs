using KeycloakCreditBridge.Doctor;
using KeycloakCreditBridge.Doctor.Findings;

namespace KeycloakCreditBridge.Page.Overview;

/// <summary>The doctor's checks, run when someone looks and the last results are older than 30 seconds. Viewers share one run.</summary>
internal sealed class CheckBoard(IServiceProvider services, IHostApplicationLifetime lifetime, TimeProvider clock)
{
    private static readonly TimeSpan GoodFor = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(1_500);

    private readonly Lock _gate = new();
    private CheckResults? _latest;
    private Task? _running;

    /// <summary>The newest results. The first look waits a moment for them; null while there are none yet.</summary>
    public async Task<CheckResults?> LookAsync(bool again, CancellationToken cancellationToken)
    {
        Task running;
        lock (_gate)
        {
            if (!again && _latest is { } latest && clock.GetUtcNow() - latest.At < GoodFor)
                return latest;
            running = _running ??= Task.Run(RunAsync, CancellationToken.None);
        }

        if (_latest is null || again)
            await Task.WhenAny(running, Task.Delay(Patience, clock, cancellationToken));
        return _latest;
    }

    private async Task RunAsync()
    {
        List<CheckResult> results = [];
        using var timeout = new CancellationTokenSource(Longest, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, lifetime.ApplicationStopping);
        try
        {
            await DoctorRun.RunAsync(services, administrator: null, results.Add, either.Token);
        }
        catch (OperationCanceledException)
        {
            results.Add(new CheckResult("the rest", null, Finding.Warn($"not checked within {Longest.TotalSeconds:0} s", "run `doctor`")));
        }
        finally
        {
            lock (_gate)
                (_latest, _running) = (new CheckResults(results, clock.GetUtcNow()), null);
        }
    }
}

internal sealed record CheckResults(IReadOnlyList<CheckResult> Results, DateTimeOffset At);
