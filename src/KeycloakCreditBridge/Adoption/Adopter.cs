using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Subjects;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Scans;
using KeycloakCreditBridge.Reconciliation.Scans.Listing;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Storage.Migrations;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Adoption;

/// <summary>
/// Gives accounts older than the bridge to their owners in Keycloak, and makes their ledgers add up to their balances. Every run evaluates
/// everything anew: an interrupted run is resumed by the next, and one run more changes nothing.
/// </summary>
internal sealed class Adopter(
    UserListing listing,
    Hot<GrantPolicy> policies,
    SubjectReader reader,
    AdoptionMarkStore mark,
    IOptions<KeycloakOptions> keycloak,
    IOptions<StorageOptions> storage,
    IOptions<AdoptedCreditsOptions> credits,
    GrantEnds ends,
    TimeProvider clock)
{
    private const int MaxAttempts = 5;

    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan SessionEndDelay = TimeSpan.FromSeconds(0.5);

    /// <summary>Computes what there is to do. Writes nothing, except the mark that adoption is done when there is nothing to do.</summary>
    /// <exception cref="KeycloakException">A realm could not be read to the end.</exception>
    /// <exception cref="AdoptionBusyException">Another process adopts now.</exception>
    public async Task<AdoptionReport> PlanAsync(AdoptionOptions options, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        return await PlanAsync(connection, options, cancellationToken);
    }

    /// <summary>Adopts batch by batch, each in a transaction of its own.</summary>
    /// <exception cref="KeycloakException">A realm could not be read to the end; nothing was changed.</exception>
    /// <exception cref="AdoptionBusyException">Another process adopts now.</exception>
    /// <exception cref="OlderReplicasException">Credits would get an end that a live replica does not know.</exception>
    public async Task<AdoptionReport> ApplyAsync(AdoptionOptions options, IProgress<long> progress, CancellationToken cancellationToken)
    {
        await ends.EnsureAsync(credits.Value.ExpiresAfter is not null, cancellationToken);
        await using var connection = await OpenAsync(cancellationToken);
        var plan = await PlanAsync(connection, options, cancellationToken);
        var totals = new AdoptionTotalsStore(connection);
        var store = new AdoptionStore(connection, totals, new AdoptedEnds(ends, credits.Value.ExpiresAfter));
        var (done, left) = (0L, 0L);
        var due = await totals.DueAsync(cancellationToken);
        await store.BeginAsync(cancellationToken);
        foreach (var batch in due.Chunk(options.BatchSize))
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

    // The service and other writers go on. A batch that meets a deadlock, or an account just opened under its target id, is rolled back and
    // tried again.
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

    private async Task<AdoptionReport> PlanAsync(NpgsqlConnection connection, AdoptionOptions options, CancellationToken cancellationToken)
    {
        var owners = new AccountOwnerStore(connection);
        await BeginAsync(owners, cancellationToken);
        foreach (var realm in keycloak.Value.Realms)
            await foreach (var page in listing.ReadAsync(realm.Name, ScanPosition.Start, cancellationToken))
                await owners.AddAsync(await EvaluateAsync(realm.Name, page, cancellationToken), options.TrustAddresses, cancellationToken);
        await owners.MatchAsync(cancellationToken);
        var store = new AdoptionTotalsStore(connection);
        await store.BeginAsync(cancellationToken);
        await store.ComputeAsync(null, cancellationToken);
        var totals = await store.TotalsAsync(cancellationToken);
        if (totals.Due == 0)
            await mark.MarkDoneAsync(cancellationToken);
        return new AdoptionReport(
            totals, await store.FindingsAsync(options.Examples, credits.Value.ExpiresAfter is not null, cancellationToken),
            await mark.ReplacedAsync(cancellationToken));
    }

    // PostgreSQL ends a session a moment after its client has ended.
    private async Task BeginAsync(AccountOwnerStore owners, CancellationToken cancellationToken)
    {
        for (var attempt = 1; !await owners.BeginAsync(cancellationToken); attempt++)
        {
            if (attempt == MaxAttempts)
                throw new AdoptionBusyException();
            await Task.Delay(SessionEndDelay, clock, cancellationToken);
        }
    }

    // A listing lacks attributes that some account ids are made of, and that some rules need.
    private async Task<List<(Subject User, DesiredState State)>> EvaluateAsync(
        string realm, ScannedPart page, CancellationToken cancellationToken)
    {
        List<(Subject, DesiredState)> evaluated = [];
        var policy = policies.Current;
        var rules = policy.RulesOf(realm);
        foreach (var listed in page.Users.Where(
            item => !item.IsServiceAccount && !item.KeycloakId.Contains('\0', StringComparison.Ordinal)))
        {
            Subject? user = listed;
            if (!rules.AccountId.IsFixed && rules.NeedsMoreThanBrief)
                user = await reader.ReadAsync(policy, realm, listed.KeycloakId, cancellationToken);
            if (user is not null)
                evaluated.Add((user, policy.Evaluate(user, page.ReadAt, HintSources.Backfill)));
        }

        return evaluated;
    }

    // Not pooled: the session holds temporary tables that must not return to the pool.
    private async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken)
    {
        await using var dataSource = storage.Value.BuildDataSource(pooled: false);
        return await dataSource.OpenConnectionAsync(cancellationToken);
    }
}

/// <param name="TrustAddresses">Whether an unverified address proves ownership.</param>
/// <param name="Examples">Examples per kind of finding.</param>
/// <param name="BatchSize">Users per transaction.</param>
internal sealed record AdoptionOptions(bool TrustAddresses, int Examples, int BatchSize);

/// <summary>What was found and done.</summary>
/// <param name="Replaced">What the migration replaced in existing tables.</param>
/// <param name="Done">How many groups were adopted; null for a plan.</param>
/// <param name="Skipped">How many groups others changed meanwhile; they are left to the next run.</param>
internal sealed record AdoptionReport(
    AdoptionTotals Totals, IReadOnlyList<AdoptionFinding> Findings, IReadOnlyList<string> Replaced, long? Done = null, long Skipped = 0);

/// <summary>Another process adopts now.</summary>
internal sealed class AdoptionBusyException() : Exception("Another process adopts accounts of this database now.");
