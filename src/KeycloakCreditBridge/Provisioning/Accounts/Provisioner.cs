using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using KeycloakCreditBridge.Configuration.Logs;
using KeycloakCreditBridge.Provisioning.Accounts.Batches;
using KeycloakCreditBridge.Provisioning.Accounts.Renames;
using KeycloakCreditBridge.Provisioning.Awards;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Provisioning.Accounts;

/// <summary>
/// Converges accounts: webhook, poller, scan and operator all end here. A refused user is reported, and the rest of its batch converged.
/// </summary>
internal sealed partial class Provisioner(
    AccountStore store, RenameStore renames, ProvisioningMetrics metrics, TimeProvider clock, ILogger<Provisioner> logger,
    GrantPlanner? planner = null)
{
    private const int MaxLogLines = 20;
    private const int MaxConflictAttempts = 5;
    private const int MaxUnknownTiers = 1_000;
    private const int MaxSuspectsInARow = 3;

    private readonly ConcurrentDictionary<(string Realm, string Value), bool> _unknownTiers = new();

    /// <summary>Converges a batch; of several states of one user the newest counts.</summary>
    /// <exception cref="NpgsqlException">The database did not confirm: what was done is unknown, and repeating is harmless.</exception>
    public async Task<ConvergeResult> ConvergeAsync(IEnumerable<DesiredState> states, CancellationToken cancellationToken)
    {
        DesiredState[] batch = [.. states
            .GroupBy(item => (item.Realm, item.KeycloakId))
            .Select(ofOneUser => ofOneUser.MaxBy(item => item.ReadAt)!)];
        var progress = new BatchProgress();
        // States of two versions of the settings, as a change leaves them: each is priced by the tiers that it was decided by.
        foreach (var part in batch.GroupBy(item => item.Tiers).SelectMany(ofOneVersion => Parts([.. ofOneVersion])))
            await ConvergeAsync(part, progress, cancellationToken);
        if (!progress.IsAnyDone && progress.Suspects is [var (_, first), ..])
            ExceptionDispatchInfo.Throw(first);
        progress.Refusals.AddRange(progress.Suspects.Select(suspect => new Refusal(suspect.State, suspect.Exception.Message)));
        Log(progress.Changes, batch);
        WarnOfUnknownTiers(batch);
        var result = new ConvergeResult(progress.Changes, progress.Refusals);
        metrics.Converged(result, batch, clock.GetUtcNow());
        return result;
    }

    // Deleted users come first where another user may inherit from them. Of several users with one account id each is converged alone.
    private static IEnumerable<DesiredState[]> Parts(DesiredState[] batch)
    {
        var named = new HashSet<string>(StringComparer.Ordinal);
        var inherits = Array.Exists(batch, item => item.Inherits);
        var byPart = batch.ToLookup(item =>
            item.AccountId is { } account && !named.Add(account) ? Part.Rival
            : inherits && item.State == UserState.Deleted ? Part.Deleted
            : Part.Other);
        DesiredState[][] together = [[.. byPart[Part.Deleted]], [.. byPart[Part.Other]]];
        return [.. together.Where(part => part.Length > 0), .. byPart[Part.Rival].Chunk(1)];
    }

    // A transaction of its own: converging completes the hint, so a process that ends between the two leaves the hint to be repeated.
    private async Task RenameAsync(DesiredState[] batch, CancellationToken cancellationToken)
    {
        DesiredState[] renaming = [.. batch.Where(item => item.Renames && item.AccountId is not null)];
        if (renaming.Length > 0 && await renames.RenameAsync(renaming, clock.GetUtcNow(), cancellationToken) is > 0 and var renamed)
            LogRenamed(renamed);
    }

    // Halves a refused batch until the users at fault stand alone: 999 of 1,000 are done in a few round trips.
    private async Task ConvergeAsync(DesiredState[] batch, BatchProgress progress, CancellationToken cancellationToken)
    {
        try
        {
            progress.Done(await TryAsync(batch, cancellationToken));
        }
        catch (PostgresException exception) when (PostgresErrors.IsCausedByData(exception))
        {
            if (batch.Length == 1)
            {
                progress.Refused(batch[0], exception.MessageText);
                return;
            }

            var middle = batch.Length / 2;
            await ConvergeAsync(batch[..middle], progress, cancellationToken);
            await ConvergeAsync(batch[middle..], progress, cancellationToken);
        }
        catch (NpgsqlException exception) when (PostgresErrors.MayConcernOneRow(exception))
        {
            if (batch.Length == 1)
            {
                progress.Suspect(batch[0], exception);
                return;
            }

            // Halves would wait for the same lock or the same large account, half after half. The order is random: where the first few fail
            // and the rest is postponed, others come first the next time.
            RandomNumberGenerator.Shuffle(batch.AsSpan());
            foreach (var state in batch)
                await ConvergeAsync([state], progress, cancellationToken);
        }
    }

    // Where account ids or tiers can change, new users in several batches at once can deadlock. PostgreSQL undoes one of the batches. The
    // statement itself ends where another one overtook it, so that its repetition sees what that stored, or where ended credits come first.
    private async Task<IReadOnlyList<AccountChange>> TryAsync(DesiredState[] batch, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await RenameAsync(batch, cancellationToken);
                var planned = planner is null ? new(batch, [], [], []) : await planner.PlanAsync(batch, cancellationToken);
                return await store.ConvergeAsync(planned, clock.GetUtcNow(), cancellationToken);
            }
            catch (PostgresException exception) when (
                exception.SqlState is PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure
                && attempt < MaxConflictAttempts)
            {
                LogConflict(attempt);
                if (exception.SqlState == PostgresErrorCodes.SerializationFailure)
                    await store.SettleAsync(batch, cancellationToken);
            }
        }
    }

    /// <summary>
    /// The result of a batch so far. A user for which the database fails is at fault only where the database serves others.
    /// </summary>
    private sealed class BatchProgress
    {
        private int _suspectsInARow;

        public List<AccountChange> Changes { get; } = [];

        public List<Refusal> Refusals { get; } = [];

        public List<(DesiredState State, NpgsqlException Exception)> Suspects { get; } = [];

        public bool IsAnyDone { get; private set; }

        public void Done(IReadOnlyList<AccountChange> changes)
        {
            Changes.AddRange(changes);
            (IsAnyDone, _suspectsInARow) = (true, 0);
        }

        public void Refused(DesiredState state, string reason)
        {
            Refusals.Add(new Refusal(state, reason));
            (IsAnyDone, _suspectsInARow) = (true, 0);
        }

        public void Suspect(DesiredState state, NpgsqlException exception)
        {
            if (++_suspectsInARow == MaxSuspectsInARow)
                ExceptionDispatchInfo.Throw(exception);
            Suspects.Add((state, exception));
        }
    }

    private enum Part { Deleted, Other, Rival }

    // A line for each of a million accounts would bury all other lines. The ledger has every account.
    private void Log(List<AccountChange> changes, DesiredState[] batch)
    {
        if (changes.Count > MaxLogLines)
        {
            var (opened, switched) = (changes.Count(change => change.Opened), changes.Count(change => change.SwitchedFrom is not null));
            var welcomed = changes.Count(change => change.Welcomed);
            var statusChanged = changes.Count - opened - switched - welcomed;
            if (opened > 0 || statusChanged > 0)
                LogMany(opened, statusChanged);
            if (welcomed > 0)
                LogManyWelcomed(welcomed);
            if (switched > 0)
                LogManySwitched(switched);
            return;
        }

        foreach (var change in changes)
        {
            using var about = logger.About(
                change.Realm, change.KeycloakId,
                Array.Find(batch, state => state.Realm == change.Realm && state.KeycloakId == change.KeycloakId)?.Traceparent);
            if (change.Opened)
                LogOpened(change.AccountId, change.Tier, change.Balance);
            else if (change.SwitchedFrom is { } earlier)
                LogSwitched(change.AccountId, earlier, change.Tier);
            else if (change.Welcomed)
                LogWelcomed(change.AccountId, change.Balance);
            else
                LogStatusChanged(change.AccountId, change.Status);
        }
    }

    // Once for each value: it stays in Keycloak until it is corrected there.
    private void WarnOfUnknownTiers(DesiredState[] batch)
    {
        foreach (var state in batch)
        {
            if (state.TierFromKeycloak?.Unknown is { } value && _unknownTiers.Count < MaxUnknownTiers
                && _unknownTiers.TryAdd((state.Realm, value), true))
            {
                using var about = logger.About(state.Realm, state.KeycloakId, state.Traceparent);
                LogUnknownTier(state.Realm, value, state.KeycloakId);
            }
        }
    }

    [LoggerMessage(EventId = 406, Level = LogLevel.Information,
        Message = "Account {AccountId} followed Keycloak from tier {From} to {Tier}.")]
    private partial void LogSwitched(string accountId, string from, string? tier);

    [LoggerMessage(EventId = 407, Level = LogLevel.Information, Message = "{Switched} accounts followed Keycloak to another tier.")]
    private partial void LogManySwitched(int switched);

    [LoggerMessage(EventId = 408, Level = LogLevel.Warning,
        Message = "Realm {Realm}: tier attribute value '{Value}' of user {KeycloakId} matches no configured tier and is ignored; "
            + "correct it in Keycloak.")]
    private partial void LogUnknownTier(string realm, string value, string keycloakId);

    [LoggerMessage(EventId = 409, Level = LogLevel.Information,
        Message = "The address of account {AccountId} is verified: its opening grant is decided, the balance is {Balance} credits.")]
    private partial void LogWelcomed(string accountId, decimal? balance);

    [LoggerMessage(EventId = 416, Level = LogLevel.Information,
        Message = "The addresses of {Welcomed} accounts are verified: their opening grants are decided.")]
    private partial void LogManyWelcomed(int welcomed);

    [LoggerMessage(EventId = 400, Level = LogLevel.Information, Message = "Opened account {AccountId}: tier {Tier}, {Balance} credits.")]
    private partial void LogOpened(string accountId, string? tier, decimal? balance);

    [LoggerMessage(EventId = 402, Level = LogLevel.Information,
        Message = "Opened {Opened} accounts and changed the status of {StatusChanged}.")]
    private partial void LogMany(int opened, int statusChanged);

    [LoggerMessage(EventId = 403, Level = LogLevel.Information, Message = "Renamed {Renamed} accounts.")]
    private partial void LogRenamed(int renamed);

    [LoggerMessage(EventId = 404, Level = LogLevel.Debug,
        Message = "A batch conflicted with another one at attempt {Attempt} and is repeated.")]
    private partial void LogConflict(int attempt);

    [LoggerMessage(EventId = 401, Level = LogLevel.Information, Message = "Account {AccountId} is now {Status}.")]
    private partial void LogStatusChanged(string accountId, string? status);
}
