using System.Globalization;
using Microsoft.Extensions.Hosting.Systemd;

namespace KeycloakCreditBridge.Hosting.Systemd;

/// <summary>
/// Tells systemd that the process is alive, twice within the time that the unit's `WatchdogSec` allows. It runs on the threads that do the
/// work: when they are stuck, systemd restarts the service.
/// </summary>
internal sealed class Watchdog(ISystemdNotifier systemd, TimeProvider clock) : BackgroundService
{
    private static readonly ServiceState Alive = new("WATCHDOG=1");

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (Interval() is not { } interval)
            return;
        using var timer = new PeriodicTimer(interval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            systemd.Notify(Alive);
    }

    private static TimeSpan? Interval() =>
        long.TryParse(Environment.GetEnvironmentVariable("WATCHDOG_USEC"), CultureInfo.InvariantCulture, out var allowed) && allowed > 0
            ? TimeSpan.FromMicroseconds(allowed / 2)
            : null;
}
