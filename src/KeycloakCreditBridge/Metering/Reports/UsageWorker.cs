using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Metering.Reports.Records;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Storage.Sessions;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Metering.Reports;

/// <summary>
/// Charges reported usage. A report is claimed, priced, charged and completed in one transaction. A user without an account is read from
/// Keycloak and charged later.
/// </summary>
internal sealed partial class UsageWorker(
    NpgsqlDataSource dataSource,
    Hot<Pricing> prices,
    GrantEnds ends,
    HintWriter hints,
    BalanceInvalidator invalidator,
    MeteringMetrics metrics,
    SchemaGate gate,
    IOptions<KeycloakOptions> keycloak,
    TimeProvider clock,
    ILogger<UsageWorker> logger) : BackgroundService
{
    private const string TokensMissing = "The field total_tokens is not a number from 0 to 2147483647, and the price depends on it.";

    private static readonly TimeSpan IdleDelay = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan MaxErrorDelay = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromMinutes(30);

    // Longer than any outage of Keycloak and any lock on an account, so that usage is charged after it.
    private static readonly TimeSpan MaxWait = TimeSpan.FromDays(3);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await gate.WaitAsync(stoppingToken);
        var loop = new BackgroundLoop(clock, MaxErrorDelay, Failed, LogRecovered);
        await loop.RunAsync(WorkAsync, token => Task.Delay(IdleDelay, clock, token), stoppingToken);

        void Failed(Exception exception, bool isNew)
        {
            invalidator.InvalidateAll();
            if (isNew)
                LogInterrupted(exception, PrivilegeErrors.Describe(exception));
        }
    }

    /// <summary>Processes the next report that is due; false when there is none.</summary>
    internal async Task<bool> WorkAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        UsageReport batch;
        Outcome outcome;
        await using (var transaction = await connection.BeginTransactionAsync(cancellationToken))
        {
            if (await UsageReportStore.ClaimAsync(transaction, clock.GetUtcNow(), cancellationToken) is not { } claimed)
                return false;
            batch = claimed;
            using var span = Spans.Start("charge usage", ("credits.report", batch.Id));
            using var trace = UserScope.BeginTrace("charge usage");
            try
            {
                outcome = await ProcessAsync(transaction, batch, cancellationToken);
                await transaction.CommitAsync(cancellationToken);
                invalidator.Invalidate(outcome.Accounts);
            }
            catch (Exception exception) when (IsCausedByReport(exception))
            {
                invalidator.InvalidateAll();
                LogNotCharged(batch.Id, exception.Message);
                outcome = Outcome.None(exception);
            }
        }

        if (outcome.Error is { } error)
            await SplitAsync(batch, error, cancellationToken);
        RecordOutcome(outcome);
        await hints.WriteAsync(outcome.Hints, cancellationToken);
        return true;
    }

    // An unreachable database is not the fault of the report. Any other failure would repeat and block all later reports, also a timeout.
    private static bool IsCausedByReport(Exception exception) => exception switch
    {
        OperationCanceledException => false,
        _ when PostgresErrors.IsTimeout(exception) => true,
        PostgresException refused => PostgresErrors.IsCausedByData(refused),
        NpgsqlException or IOException => false,
        _ => true,
    };

    // Halves the report until the bad record stands alone and the others are charged. One that only met a lock is charged after it.
    private async Task SplitAsync(UsageReport batch, Exception error, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (!await UsageReportStore.ReclaimAsync(transaction, batch, cancellationToken))
            return;
        var now = clock.GetUtcNow();
        var usage = UsageReader.Read(batch.Body);
        List<RefusedRecord> refused = [.. usage.Refused];
        var isAlone = usage.Records.Count == 1;
        if (isAlone && (!PostgresErrors.IsTimeout(error) || IsExpired(batch, now)))
        {
            refused.Add(new RefusedRecord(usage.Records[0].Raw, error.Message));
        }
        else
        {
            var dueAt = isAlone ? RetryAt(batch, now) : now;
            foreach (var half in usage.Records.Chunk(Math.Max(1, (usage.Records.Count + 1) / 2)))
                await UsageReportStore.PostponeAsync(transaction, batch, half, dueAt, cancellationToken);
        }

        await UsageReportStore.RefuseAsync(transaction, refused, now, cancellationToken);
        await UsageReportStore.CompleteAsync(transaction, batch, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        metrics.RecordRefused(refused.Count);
    }

    private async Task<Outcome> ProcessAsync(NpgsqlTransaction transaction, UsageReport batch, CancellationToken cancellationToken)
    {
        var (now, pricing) = (clock.GetUtcNow(), prices.Current);
        var usage = UsageReader.Read(batch.Body);
        UsageRecord[] records = [.. usage.Records.Where(record => pricing.ChargesFailures || !record.IsFailure)];
        string[] realms = [.. keycloak.Value.Realms.Select(realm => realm.Name)];
        var accounts = (await ChargeStore.AccountsAsync(
            transaction, [.. records.Select(record => record.UserId).Distinct()], realms, ends,
            cancellationToken)).ToDictionary(account => account.UserId);
        string[] due = [.. accounts.Values.Where(account => account.IsDue).Select(account => account.AccountId).Distinct()];
        await ends.SettleAsync(transaction.Connection!, due, cancellationToken);

        UsageRecord[] owned = [.. records.Where(record => accounts.ContainsKey(record.UserId))];
        Charge[] priced = [.. owned
            .Where(record => !pricing.LacksTokens(record)).Select(record => Price(pricing, record, accounts[record.UserId]))];
        // An object at no cost yet must not use up its id: the record that carries the cost follows.
        Charge[] charges = [.. priced
            .Where(charge => !charge.Record.IsObject || charge.Credits > 0m)
            .DistinctBy(charge => (charge.Record.IdentityUser, charge.Record.Identity.Key))];
        UsageRecord[] unknown = [.. records.Where(record => !accounts.ContainsKey(record.UserId))];
        List<RefusedRecord> refused =
        [
            .. usage.Refused,
            .. owned.Where(pricing.LacksTokens).Select(record => new RefusedRecord(record.Raw, TokensMissing)),
        ];
        var isExpired = IsExpired(batch, now);
        if (isExpired)
            refused.AddRange(unknown.Select(record => new RefusedRecord(record.Raw, $"No account of user '{record.UserId}' was found.")));
        else if (unknown.Length > 0)
            await UsageReportStore.PostponeAsync(transaction, batch, unknown, RetryAt(batch, now), cancellationToken);

        var charged = charges.Length == 0
            ? new ChargeResult(0, 0m)
            : await ChargeStore.ChargeAsync(transaction, charges, pricing.Clamps, now, cancellationToken);
        if (refused.Count > 0)
            await UsageReportStore.RefuseAsync(transaction, refused, now, cancellationToken);
        await UsageReportStore.CompleteAsync(transaction, batch, cancellationToken);
        if (logger.IsEnabled(LogLevel.Debug))
            LogCharges(charges, accounts);
        return new Outcome(charged, charges.Length - charged.Records, refused, isExpired ? [] : HintsFor(unknown, realms), null)
        {
            Accounts = [.. charges.Select(charge => charge.AccountId).Distinct()],
            Unbilled = usage.Unbilled + priced.Count(charge => charge.Record.IsObject && charge.Credits == 0m),
            FailedCharged = charges.Count(charge => charge.Record.IsFailure),
            FailedIgnored = usage.Records.Count - records.Length,
        };
    }

    private void LogCharges(Charge[] charges, Dictionary<string, MeteredAccount> accounts)
    {
        foreach (var charge in charges)
        {
            using var about = logger.About(accounts[charge.Record.UserId].Realm, charge.Record.UserId);
            LogCharging(charge.Credits, charge.Record.Model);
        }
    }

    private static bool IsExpired(UsageReport batch, DateTimeOffset now) => now - batch.ReceivedAt >= MaxWait;

    private static DateTimeOffset RetryAt(UsageReport batch, DateTimeOffset now) =>
        now + RetryDelay.After(batch.Attempts + 1, MaxRetryDelay);

    private static Charge Price(Pricing pricing, UsageRecord record, MeteredAccount account) =>
        new(record, account.AccountId, pricing.CreditsFor(record, account.Tier), pricing.IsFree(record));

    private static UserHint[] HintsFor(UsageRecord[] records, string[] realms) =>
    [
        .. records.Select(record => record.UserId).Distinct()
            .Where(userId => UserIds.ProblemWith(userId) is null)
            .SelectMany(userId => realms.Select(realm => new UserHint(realm, userId, HintKind.Seen, "USAGE", HintSources.Gateway))),
    ];

    private void RecordOutcome(Outcome outcome)
    {
        metrics.RecordCharges(outcome.Charged.Records, outcome.Charged.Credits);
        metrics.RecordDuplicates(outcome.Duplicates);
        metrics.RecordRefused(outcome.Refused.Count);
        metrics.RecordUnbilled(outcome.Unbilled);
        metrics.RecordFailedCalls(outcome.FailedCharged, outcome.FailedIgnored);
        if (outcome.Refused.Count > 0)
            LogRefused(outcome.Refused.Count, outcome.Refused[0].Error);
    }

    private sealed record Outcome(
        ChargeResult Charged, long Duplicates, IReadOnlyList<RefusedRecord> Refused, IReadOnlyCollection<UserHint> Hints, Exception? Error)
    {
        public int Unbilled { get; init; }

        public int FailedCharged { get; init; }

        public int FailedIgnored { get; init; }

        /// <summary>Accounts whose balances may have changed.</summary>
        public IReadOnlyCollection<string> Accounts { get; init; } = [];

        public static Outcome None(Exception error) => new(new ChargeResult(0, 0m), 0, [], [], error);
    }

    [LoggerMessage(EventId = 850, Level = LogLevel.Error, Message = "Charging usage is interrupted and retried: {Reason}")]
    private partial void LogInterrupted(Exception exception, string reason);

    [LoggerMessage(EventId = 851, Level = LogLevel.Information, Message = "Charging usage continues.")]
    private partial void LogRecovered();

    [LoggerMessage(
        EventId = 852, Level = LogLevel.Warning, Message = "Usage report {Id} could not be charged as a whole and is split: {Reason}")]
    private partial void LogNotCharged(long id, string reason);

    [LoggerMessage(EventId = 853, Level = LogLevel.Warning,
        Message = "Refused {Count} usage records, which are kept in usage_refusals; correct the cause and retry them. The first: {Reason}")]
    private partial void LogRefused(int count, string reason);

    [LoggerMessage(EventId = 859, Level = LogLevel.Debug, Message = "Usage is charged with {Credits} credits, model {Model}.")]
    private partial void LogCharging(decimal credits, string? model);
}
