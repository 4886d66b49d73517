using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Storage.Sessions;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Sweep;

/// <summary>
/// Books out what ended, a thousand accounts a transaction, two transactions at a time where there are many. Accounts that another
/// transaction holds are left to the next round. A run that is killed leaves each thousand done or not; a second run finds nothing due.
/// </summary>
internal sealed partial class LotSweep(LotBooking booking, GrantsMetrics metrics, TimeProvider clock, ILogger<LotSweep> logger)
{
    private const int AccountsAtOnce = 1_000;

    /// <summary>Sweeps until nothing is due that is free, and returns how many accounts that were.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var started = clock.GetTimestamp();
        var swept = 0;
        try
        {
            // Each statement keeps one process of PostgreSQL busy.
            if (await NextAsync())
                await Task.WhenAll(WalkAsync(), WalkAsync());
        }
        catch (NpgsqlException exception)
        {
            LogInterrupted(PrivilegeErrors.Describe(exception));
        }

        if (swept == 0)
            return 0;
        var duration = clock.GetElapsedTime(started);
        metrics.SweepTook(duration);
        var seconds = Math.Round(duration.TotalSeconds, 1);
        LogSwept(swept, seconds);
        return swept;

        async Task WalkAsync()
        {
            while (await NextAsync())
                continue;
        }

        async Task<bool> NextAsync()
        {
            cancellationToken.ThrowIfCancellationRequested();
            var done = await booking.SettleNextAsync(AccountsAtOnce, cancellationToken);
            metrics.Swept(done);
            Interlocked.Add(ref swept, done);
            return done == AccountsAtOnce;
        }
    }

    [LoggerMessage(EventId = 1000, Level = LogLevel.Information, Message = "Took ended credits from {Accounts} accounts in {Seconds} s.")]
    private partial void LogSwept(int accounts, double seconds);

    [LoggerMessage(EventId = 1001, Level = LogLevel.Error,
        Message = "Taking ended credits failed, and is repeated by the next sweep; ended credits are not spendable meanwhile: {Reason}")]
    private partial void LogInterrupted(string reason);
}
