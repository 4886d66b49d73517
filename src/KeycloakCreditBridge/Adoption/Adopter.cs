using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Subjects;
using KeycloakCreditBridge.Reconciliation.Scans;
using KeycloakCreditBridge.Reconciliation.Scans.Listing;
using KeycloakCreditBridge.Storage;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Adoption;

/// <summary>
/// Gives accounts that were there before the bridge to their owners in Keycloak, and brings their ledgers to what their balances are. Every
/// run looks at everything anew, so one that was interrupted is continued by the next, and one more changes nothing.
/// </summary>
internal sealed class Adopter(
    UserListing listing,
    GrantPolicy policy,
    SubjectReader reader,
    AdoptionMarkStore mark,
    IOptions<KeycloakOptions> keycloak,
    IOptions<StorageOptions> storage,
    TimeProvider clock)
{
    private const int MaxAttempts = 5;

    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan SessionEndDelay = TimeSpan.FromSeconds(0.5);

    /// <summary>Says what is to be done. Writes nothing but, where that is nothing, that it is done.</summary>
    /// <exception cref="KeycloakException">A realm could not be read to the end.</exception>
    /// <exception cref="AdoptionBusyException">Another process adopts now.</exception>
    public async Task<AdoptionReport> PlanAsync(AdoptionOptions wish, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        return await PlanAsync(connection, wish, cancellationToken);
    }

    /// <summary>Does it, batch by batch, each in a transaction of its own.</summary>
    /// <exception cref="KeycloakException">A realm could not be read to the end; nothing was changed.</exception>
    /// <exception cref="AdoptionBusyException">Another process adopts now.</exception>
    public async Task<AdoptionReport> ApplyAsync(AdoptionOptions wish, IProgress<long> progress, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        var plan = await PlanAsync(connection, wish, cancellationToken);
        var figures = new AdoptionTotalsStore(connection);
        var store = new AdoptionStore(connection, figures);
        var (done, left) = (0L, 0L);
        var due = await figures.DueAsync(cancellationToken);
        await store.BeginAsync(cancellationToken);
        foreach (var batch in due.Chunk(wish.BatchSize))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var result = await AdoptAsync(store, batch, cancellationToken);
            (done, left) = (done + result.Done, left + result.Left);
            progress.Report(done);
        }

        if (left == 0)
            await mark.MarkDoneAsync(cancellationToken);
        return plan with { Done = done, Skipped = left };
    }

    // The running service and other writers go on: a batch that met one of them in a circle of locks, or an account opened just then under
    // the id that it wanted, was undone and is looked at again.
    private async Task<(long Done, long Left)> AdoptAsync(AdoptionStore store, long[] batch, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await store.AdoptAsync(batch, clock.GetUtcNow(), cancellationToken);
            }
            catch (PostgresException exception) when (
                exception.SqlState is PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.UniqueViolation && attempt < MaxAttempts)
            {
                await Task.Delay(RetryDelay.After(attempt, MaxRetryDelay), clock, cancellationToken);
            }
        }
    }

    private async Task<AdoptionReport> PlanAsync(NpgsqlConnection connection, AdoptionOptions wish, CancellationToken cancellationToken)
    {
        var people = new AccountOwnerStore(connection);
        await BeginAsync(people, cancellationToken);
        foreach (var realm in keycloak.Value.Realms)
            await foreach (var page in listing.ReadAsync(realm.Name, ScanPosition.Start, cancellationToken))
                await people.AddAsync(await EvaluateAsync(realm.Name, page, cancellationToken), wish.TrustAddresses, cancellationToken);
        await people.MatchAsync(cancellationToken);
        var figures = new AdoptionTotalsStore(connection);
        await figures.BeginAsync(cancellationToken);
        await figures.ComputeAsync(null, cancellationToken);
        var totals = await figures.TotalsAsync(cancellationToken);
        if (totals.Due == 0)
            await mark.MarkDoneAsync(cancellationToken);
        return new AdoptionReport(
            totals, await figures.FindingsAsync(wish.Examples, cancellationToken), await mark.ReplacedAsync(cancellationToken));
    }

    // PostgreSQL ends the session of a command that has just ended a moment behind it.
    private async Task BeginAsync(AccountOwnerStore people, CancellationToken cancellationToken)
    {
        for (var attempt = 1; !await people.BeginAsync(cancellationToken); attempt++)
        {
            if (attempt == MaxAttempts)
                throw new AdoptionBusyException();
            await Task.Delay(SessionEndDelay, clock, cancellationToken);
        }
    }

    // A listing leaves out what some account ids are made of, and what some rules look at before they let an address name an account.
    private async Task<List<(Subject Person, DesiredState Judgement)>> EvaluateAsync(string realm, ScannedPart page, CancellationToken cancellationToken)
    {
        List<(Subject, DesiredState)> people = [];
        var rules = policy.RulesOf(realm);
        foreach (var listed in page.Users.Where(user => !user.IsServiceAccount && !user.KeycloakId.Contains('\0', StringComparison.Ordinal)))
        {
            Subject? person = listed;
            if (!rules.AccountId.IsFixed && rules.NeedsMoreThanBrief)
                person = await reader.ReadAsync(realm, listed.KeycloakId, cancellationToken);
            if (person is not null)
                people.Add((person, policy.Evaluate(person, page.ReadAt, HintSources.Backfill)));
        }

        return people;
    }

    // Of its own: what is found is kept in tables of the session, which must not go back to a pool with them.
    private async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken)
    {
        var settings = new NpgsqlConnectionStringBuilder(storage.Value.BuildConnectionString()) { Pooling = false };
        var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        return connection;
    }
}

/// <param name="TrustAddresses">Whether an address that nobody proved makes an account its owner's.</param>
/// <param name="Examples">How many of each finding are named.</param>
/// <param name="BatchSize">People a transaction.</param>
internal sealed record AdoptionOptions(bool TrustAddresses, int Examples, int BatchSize);

/// <summary>What was found, and what was done about it.</summary>
/// <param name="Replaced">What migrating replaced in the tables that were there.</param>
/// <param name="Done">For how many something was done; null for a plan.</param>
/// <param name="Skipped">How many were changed by others meanwhile, and are left to the next run.</param>
internal sealed record AdoptionReport(
    AdoptionTotals Totals, IReadOnlyList<AdoptionFinding> Findings, IReadOnlyList<string> Replaced, long? Done = null, long Skipped = 0);

/// <summary>Another process adopts now.</summary>
internal sealed class AdoptionBusyException() : Exception("Another process adopts accounts of this database now.");
