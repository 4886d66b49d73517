using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using KeycloakCreditBridge.Provisioning.Accounts.Renames;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Provisioning.Accounts;

/// <summary>
/// Converges accounts to judgements. Webhook, poller, scan and operator all end here. A user that the database refuses is named and
/// left out; the others of its batch are done.
/// </summary>
internal sealed partial class Provisioner(
    AccountStore store, RenameStore renames, ProvisioningMetrics metrics, TimeProvider clock, ILogger<Provisioner> logger)
{
    private const int MaxLogLines = 20;
    private const int MaxDeadlockAttempts = 5;
    private const int MaxUnknownTiers = 1_000;
    private const int MaxSuspectsInARow = 3;

    private readonly ConcurrentDictionary<(string Realm, string Value), bool> _unknownTiers = new();

    /// <summary>Converges a batch; of several judgements of one user the newest counts.</summary>
    /// <exception cref="NpgsqlException">The database did not confirm: nobody knows what was done, and repeating is harmless.</exception>
    public async Task<ConvergeResult> ConvergeAsync(IEnumerable<DesiredState> judgements, CancellationToken cancellationToken)
    {
        DesiredState[] batch = [.. judgements
            .GroupBy(item => (item.Realm, item.KeycloakId))
            .Select(ofOneUser => ofOneUser.MaxBy(item => item.ReadAt)!)];
        var work = new BatchProgress();
        foreach (var part in Parts(batch))
            await ConvergeAsync(part, work, cancellationToken);
        if (!work.IsAnyDone && work.Suspects is [var (_, first), ..])
            ExceptionDispatchInfo.Throw(first);
        work.Refusals.AddRange(work.Suspects.Select(suspect => new Refusal(suspect.Judgement, suspect.Exception.Message)));
        Log(work.Changes);
        WarnOfUnknownTiers(batch);
        var result = new ConvergeResult(work.Changes, work.Refusals);
        metrics.Converged(result);
        return result;
    }

    // Who is gone comes first where another may have come in their place, and of several who name one account each is looked at alone.
    private static IEnumerable<DesiredState[]> Parts(DesiredState[] batch)
    {
        var named = new HashSet<string>(StringComparer.Ordinal);
        var inherits = Array.Exists(batch, item => item.Inherits);
        var byPart = batch.ToLookup(item =>
            item.AccountId is { } account && !named.Add(account) ? Part.Rival : inherits && item.State == UserState.Deleted ? Part.Deleted : Part.Other);
        return [.. new[] { byPart[Part.Deleted].ToArray(), [.. byPart[Part.Other]] }.Where(part => part.Length > 0), .. byPart[Part.Rival].Chunk(1)];
    }

    // A transaction of its own: a hint is settled by converging, so whoever ends between the two leaves it to be done again.
    private async Task RenameAsync(DesiredState[] batch, CancellationToken cancellationToken)
    {
        DesiredState[] renaming = [.. batch.Where(item => item.Renames && item.AccountId is not null)];
        if (renaming.Length > 0 && await renames.RenameAsync(renaming, clock.GetUtcNow(), cancellationToken) is > 0 and var renamed)
            LogRenamed(renamed);
    }

    // Halves a refused batch until the users at fault stand alone: 999 of 1,000 are done in a few round trips.
    private async Task ConvergeAsync(DesiredState[] batch, BatchProgress work, CancellationToken cancellationToken)
    {
        try
        {
            work.Done(await TryAsync(batch, cancellationToken));
        }
        catch (PostgresException exception) when (PostgresErrors.IsCausedByData(exception))
        {
            if (batch.Length == 1)
            {
                work.Refused(batch[0], exception.MessageText);
                return;
            }

            var middle = batch.Length / 2;
            await ConvergeAsync(batch[..middle], work, cancellationToken);
            await ConvergeAsync(batch[middle..], work, cancellationToken);
        }
        catch (NpgsqlException exception) when (PostgresErrors.MayConcernOneRow(exception))
        {
            if (batch.Length == 1)
            {
                work.Suspect(batch[0], exception);
                return;
            }

            // Halves would wait for the same lock or the same large account, half after half. In no order, so that where the first few fail
            // and the rest is left for later, others are the first then.
            RandomNumberGenerator.Shuffle(batch.AsSpan());
            foreach (var judgement in batch)
                await ConvergeAsync([judgement], work, cancellationToken);
        }
    }

    // Where account ids or tiers can change, people who are new to several batches at once can meet in a circle of locks. PostgreSQL undoes one.
    private async Task<IReadOnlyList<AccountChange>> TryAsync(DesiredState[] batch, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await RenameAsync(batch, cancellationToken);
                return await store.ConvergeAsync(batch, clock.GetUtcNow(), cancellationToken);
            }
            catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.DeadlockDetected && attempt < MaxDeadlockAttempts)
            {
                LogDeadlock(attempt);
            }
        }
    }

    /// <summary>What came of a batch so far. Whom the database fails for is at fault only where it does others.</summary>
    private sealed class BatchProgress
    {
        private int _suspectsInARow;

        public List<AccountChange> Changes { get; } = [];

        public List<Refusal> Refusals { get; } = [];

        public List<(DesiredState Judgement, NpgsqlException Exception)> Suspects { get; } = [];

        public bool IsAnyDone { get; private set; }

        public void Done(IReadOnlyList<AccountChange> changes)
        {
            Changes.AddRange(changes);
            (IsAnyDone, _suspectsInARow) = (true, 0);
        }

        public void Refused(DesiredState judgement, string reason)
        {
            Refusals.Add(new Refusal(judgement, reason));
            (IsAnyDone, _suspectsInARow) = (true, 0);
        }

        public void Suspect(DesiredState judgement, NpgsqlException exception)
        {
            if (++_suspectsInARow == MaxSuspectsInARow)
                ExceptionDispatchInfo.Throw(exception);
            Suspects.Add((judgement, exception));
        }
    }

    private enum Part
    {
        Deleted,
        Other,
        Rival,
    }

    // A line for each of a million accounts would drown everything else: the ledger has them one by one.
    private void Log(List<AccountChange> changes)
    {
        if (changes.Count > MaxLogLines)
        {
            var (opened, switched) = (changes.Count(change => change.Opened), changes.Count(change => change.SwitchedFrom is not null));
            if (opened + switched < changes.Count || opened > 0)
                LogMany(opened, changes.Count - opened - switched);
            if (switched > 0)
                LogManySwitched(switched);
            return;
        }

        foreach (var change in changes)
        {
            if (change.Opened)
                LogOpened(change.AccountId, change.Tier, change.Balance);
            else if (change.SwitchedFrom is { } earlier)
                LogSwitched(change.AccountId, earlier, change.Tier);
            else
                LogStatusChanged(change.AccountId, change.Status);
        }
    }

    // Once for each value: somebody has it in Keycloak for as long as nobody corrects it there.
    private void WarnOfUnknownTiers(DesiredState[] batch)
    {
        foreach (var judgement in batch)
        {
            if (judgement.TierFromKeycloak?.Unknown is { } value && _unknownTiers.Count < MaxUnknownTiers && _unknownTiers.TryAdd((judgement.Realm, value), true))
                LogUnknownTier(judgement.Realm, value, judgement.KeycloakId);
        }
    }

    [LoggerMessage(EventId = 406, Level = LogLevel.Information, Message = "Account {AccountId} follows Keycloak from tier {From} to {Tier}.")]
    private partial void LogSwitched(string accountId, string from, string? tier);

    [LoggerMessage(EventId = 407, Level = LogLevel.Information, Message = "{Switched} accounts follow Keycloak to another tier.")]
    private partial void LogManySwitched(int switched);

    [LoggerMessage(EventId = 408, Level = LogLevel.Warning,
        Message = "Realm {Realm}: the attribute of Provisioning:TierFrom says '{Value}' of user {KeycloakId}, which is no tier; the attribute counts for nothing there.")]
    private partial void LogUnknownTier(string realm, string value, string keycloakId);

    [LoggerMessage(EventId = 400, Level = LogLevel.Information, Message = "Opened account {AccountId}: tier {Tier}, {Balance} credits.")]
    private partial void LogOpened(string accountId, string? tier, decimal? balance);

    [LoggerMessage(EventId = 402, Level = LogLevel.Information, Message = "Opened {Opened} accounts, {Turned} changed their status.")]
    private partial void LogMany(int opened, int turned);

    [LoggerMessage(EventId = 403, Level = LogLevel.Information, Message = "Renamed {Renamed} accounts.")]
    private partial void LogRenamed(int renamed);

    [LoggerMessage(EventId = 404, Level = LogLevel.Debug, Message = "A batch met another in a circle of locks, attempt {Attempt}: it is tried again.")]
    private partial void LogDeadlock(int attempt);

    [LoggerMessage(EventId = 401, Level = LogLevel.Information, Message = "Account {AccountId} is now {Status}.")]
    private partial void LogStatusChanged(string accountId, string? status);
}

/// <param name="Refusals">Users whose data the database refused, with its reason.</param>
internal sealed record ConvergeResult(IReadOnlyList<AccountChange> Changes, IReadOnlyList<Refusal> Refusals)
{
    public int Opened => Changes.Count(change => change.Opened);
}

internal sealed record Refusal(DesiredState DesiredState, string Reason);
