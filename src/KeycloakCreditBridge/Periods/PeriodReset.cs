using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Periods;

/// <summary>
/// Walks once through all accounts and renews those whose period ended. It commits range by range. An interrupted run is repeated, as a
/// renewed account is no longer due.
/// </summary>
internal sealed partial class PeriodReset(
    PeriodStore store,
    PeriodsMetrics metrics,
    Hot<PeriodRules> rules,
    TimeProvider clock,
    ILogger<PeriodReset> logger)
{
    private const int RangeSize = 5_000;
    private const int ManyAccounts = 100_000;

    // Sorts behind every id, in the order of their bytes.
    private const string End = "\U0010FFFF";

    private const int MostLines = 20;

    /// <summary>Renews all that are due.</summary>
    /// <exception cref="NpgsqlException">The database did not confirm: repeating is harmless.</exception>
    public async Task<PeriodRun> RunAsync(CancellationToken cancellationToken)
    {
        using var trace = UserScope.BeginTrace("renew periods");
        var (started, terms) = (clock.GetTimestamp(), rules.Current.Terms);
        var run = new PeriodRun();
        var gate = new Lock();
        try
        {
            // Two walks pay for many accounts: each statement keeps one process of PostgreSQL busy.
            var middle = await store.MiddleAsync(ManyAccounts, cancellationToken);
            (string After, string Until)[] walks = middle is null ? [("", End)] : [("", middle), (middle, End)];
            await Task.WhenAll(walks.Select(walk => WalkAsync(terms, walk.After, walk.Until, Taken, Refused, cancellationToken)));
        }
        finally
        {
            metrics.Refused(run.Refused.Count);
            foreach (var (account, reason) in run.Refused.Take(MostLines))
            {
                using var about = logger.About(account.Realm, account.KeycloakId ?? account.UserId);
                LogRefused(account.UserId, reason);
            }

            var seconds = Math.Round(clock.GetElapsedTime(started).TotalSeconds, 1);
            LogDone(run.Walked, seconds, run.Renewed, run.Credits, run.Forfeited, run.Refused.Count);
        }

        return run;

        void Taken(RenewedRange range)
        {
            lock (gate)
                run = run.With(range);
            metrics.Renewed(range);
        }

        void Refused(PeriodAccount account, string reason)
        {
            lock (gate)
                run.Refused.Add((account, reason));
        }
    }

    // An account that cannot hold its grant, or that a trigger of the installation refuses, is found by halving and skipped.
    private async Task WalkAsync(
        PeriodTerms terms, string after, string until, Action<RenewedRange> taken, Action<PeriodAccount, string> refused,
        CancellationToken cancellationToken)
    {
        var range = new AccountRange(after, until, RangeSize);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                var result = await store.RenewAsync(range, terms, clock.GetUtcNow(), cancellationToken);
                taken(result);
                if (result.Last is null || result.Walked < range.Limit)
                    return;
                range = range with { After = result.Last, Limit = Math.Min(range.Limit * 2, RangeSize) };
            }
            catch (PostgresException exception) when (PostgresErrors.IsCausedByData(exception) && range.Limit > 1)
            {
                range = range with { Limit = range.Limit / 2 };
            }
            catch (PostgresException exception) when (PostgresErrors.IsCausedByData(exception))
            {
                var account = (await store.NextAsync(range.After, cancellationToken))!;
                refused(account, exception.MessageText);
                range = range with { After = account.UserId, Limit = 1 };
            }
        }
    }

    [LoggerMessage(EventId = 900, Level = LogLevel.Information,
        Message = "Checked {Walked} accounts in {Seconds} s: renewed {Renewed}, granted {Credits} credits, "
            + "forfeited {Forfeited}, refused {Refused}.")]
    private partial void LogDone(long walked, double seconds, long renewed, decimal credits, decimal forfeited, int refused);

    [LoggerMessage(EventId = 901, Level = LogLevel.Warning,
        Message = "Account {Account} stays in its ended period because the database refused the next one: {Reason}")]
    private partial void LogRefused(string account, string reason);
}

/// <summary>The result of a run.</summary>
internal sealed record PeriodRun(long Walked = 0, long Renewed = 0, long Granted = 0, decimal Credits = 0, decimal Forfeited = 0)
{
    /// <summary>Accounts that the database refused to renew, with its reason.</summary>
    public List<(PeriodAccount Account, string Reason)> Refused { get; } = [];

    public PeriodRun With(RenewedRange range) => this with
    {
        Walked = Walked + range.Walked,
        Renewed = Renewed + range.Renewed,
        Granted = Granted + range.Granted,
        Credits = Credits + range.Credits,
        Forfeited = Forfeited + range.Forfeited,
    };
}
