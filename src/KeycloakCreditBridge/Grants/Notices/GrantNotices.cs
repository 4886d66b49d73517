using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Notices;

/// <summary>
/// Writes an audit row for each grant that is about to end, once for each configured step. A run that is killed leaves each hundred written
/// or not; a second run finds nothing due.
/// </summary>
internal sealed partial class GrantNotices(
    NpgsqlDataSource dataSource, GrantClock ends, IOptions<GrantsOptions> options, TimeProvider clock, ILogger<GrantNotices> logger)
{
    private const int GrantsAtOnce = 500;

    // Less is not worth a message.
    private const decimal Least = 0.01m;

    /// <summary>Writes all that are due, and returns for how many grants a step is done.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var steps = options.Value.NoticeSteps;
        var all = 0;
        try
        {
            for (var done = steps.Count == 0 ? 0 : GrantsAtOnce; done == GrantsAtOnce; all += done)
                done = await WriteNextAsync(steps, cancellationToken);
        }
        catch (NpgsqlException exception)
        {
            LogInterrupted(PrivilegeErrors.Describe(exception));
        }

        return all;
    }

    private async Task<int> WriteNextAsync(IReadOnlyCollection<short> steps, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var due = await NoticeStore.ClaimAsync(connection, steps, GrantsAtOnce, ends.At, cancellationToken);
        if (due.Count == 0)
            return 0;
        LockedAccount[] accounts =
            [.. due.Select(notice => new LockedAccount(notice.AccountId, notice.Balance, notice.At)).Distinct()];
        var lots = await LotStore.LoadAsync(connection, accounts, fromStart: false, cancellationToken);
        await NoticeStore.WriteAsync(
            connection, [.. due.Select(notice => (notice, lots[notice.AccountId].Ledger.Find(notice.GrantKey)?.Left ?? 0m))], Least,
            clock.GetUtcNow(), cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return due.Count;
    }

    [LoggerMessage(EventId = 1030, Level = LogLevel.Error,
        Message = "Notices of credits that are about to end were not written, and are repeated by the next sweep: {Reason}")]
    private partial void LogInterrupted(string reason);
}
