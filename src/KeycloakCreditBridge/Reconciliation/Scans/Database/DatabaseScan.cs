using System.Runtime.CompilerServices;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Keycloak.Database;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Reconciliation.Scans.OutsideCreatedWindows;

namespace KeycloakCreditBridge.Reconciliation.Scans.Database;

/// <summary>
/// Merges a realm's users in Keycloak's database with the records, both in id order, so that memory does not grow with the realm. Where the
/// rules need only ids, only differing buckets are read. Federated users without import are in no database: the list shows them.
/// </summary>
internal sealed class DatabaseScan(
    KeycloakDatabaseStore keycloak,
    KnownStreamStore known,
    RealmComparison comparison,
    UserByIdReader reader,
    OutsideCreatedWindowsScan outside,
    MissingFromScanStore missing,
    Hot<GrantPolicy> policies,
    TimeProvider clock) : IScan
{
    private const int BatchUsers = 1_000;

    // The run saves its place at least this often.
    private const int PartUsers = 50_000;

    public int MaxConcurrentReviews => 2;

    public async IAsyncEnumerable<ScannedPart> ReadAsync(
        ReconcileRun run, RunRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await keycloak.CheckAsync(cancellationToken);
        if (run.Reached.Phase.Length == 0)
        {
            // Keycloak sorts the realm for this check, which takes as long as PostgreSQL needs for its sums. Missing users are on record by
            // then.
            var checking = MayHaveUncountedAsync(request.Realm, cancellationToken);
            var reached = run.Reached;
            await foreach (var part in MergeAsync(run, request, cancellationToken))
            {
                reached = part.Reached;
                yield return part;
            }

            if (!await checking || !await outside.MustListFederatedAsync(request.Realm, cancellationToken))
            {
                await foreach (var part in outside.ReadFederatedAsync(run, request.Realm, reached, cancellationToken))
                    yield return part;
                yield break;
            }
        }

        await foreach (var part in outside.ListAsync(run, request, cancellationToken))
            yield return part;
    }

    // Without a federation the tables have every user.
    private async Task<bool> MayHaveUncountedAsync(string realm, CancellationToken cancellationToken) =>
        await keycloak.HasFederationAsync(realm, cancellationToken) is not false
            && await outside.HasUncountedAsync(realm, cancellationToken);

    private async IAsyncEnumerable<ScannedPart> MergeAsync(
        ReconcileRun run, RunRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var readAt = clock.GetUtcNow();
        var after = run.Reached.Tail is [var last, ..] ? last : "";
        var position = run.Reached;
        var part = new Part(request, NeedsAll(request));
        var compared = part.NeedsAll || request.Since is not null
            ? new ComparedRealm(await keycloak.CountAsync(request.Realm, cancellationToken), 0, null)
            : await comparison.CompareAsync(request.Realm, cancellationToken);
        // What this run corrected before it was interrupted is equal on both sides by now.
        var startsOver = compared.Differing is not null;
        if (startsOver)
            (after, position) = ("", ScanPosition.Start);
        yield return new ScannedPart([], readAt, position, startsOver) { Unchanged = compared.Unchanged, Expected = compared.Users };

        await using var records = known.CopyAsync(
            request.Realm, after, compared.Differing, cancellationToken).GetAsyncEnumerator(cancellationToken);
        var hasRecord = await records.MoveNextAsync();
        await foreach (var user in keycloak.CopyAsync(request.Realm, after, compared.Differing, cancellationToken))
        {
            while (hasRecord && string.CompareOrdinal(records.Current.KeycloakId, user.Id) < 0)
            {
                await AddMissingAsync(part, records.Current, run, readAt, cancellationToken);
                hasRecord = await records.MoveNextAsync();
            }

            KnownUser? record = hasRecord && records.Current.KeycloakId == user.Id ? records.Current : null;
            if (record is not null)
                hasRecord = await records.MoveNextAsync();
            part.Add(user, record);
            position = position with { Number = position.Number + 1, Tail = [user.Id] };
            if (part.IsFull)
            {
                yield return await EndAsync(part, run, readAt, position, cancellationToken);
                part = new Part(request, part.NeedsAll);
            }
        }

        for (; hasRecord; hasRecord = await records.MoveNextAsync())
            await AddMissingAsync(part, records.Current, run, readAt, cancellationToken);
        yield return await EndAsync(part, run, readAt, position, cancellationToken);
    }

    // Rules on addresses or names may evaluate a user differently although its record is consistent.
    private bool NeedsAll(RunRequest request)
    {
        var policy = policies.Current;
        return request.ReEvaluate || !policy.RulesOf(request.Realm).NeedsIdAlone || policy.WithholdsGrants(request.Realm);
    }

    private async Task AddMissingAsync(
        Part part, KnownUser record, ReconcileRun run, DateTimeOffset readAt, CancellationToken cancellationToken)
    {
        part.AddMissing(record, readAt);
        if (part.Missing.Count < BatchUsers)
            return;
        await missing.AddAsync(run.Id, part.Missing, cancellationToken);
        part.Missing.Clear();
    }

    private async Task<ScannedPart> EndAsync(
        Part part, ReconcileRun run, DateTimeOffset readAt, ScanPosition position, CancellationToken cancellationToken)
    {
        var deleted = part.Linked.Count == 0 ? [] : await known.DeletedAsync(part.Realm, [.. part.Linked], cancellationToken);
        part.Users.RemoveAll(user => deleted.Contains(user.KeycloakId));
        var asked = await reader.ReadAsync(policies.Current, part.Realm, [.. part.Doubtful, .. deleted], cancellationToken);
        part.Missing.AddRange(asked.NotFound.Except(deleted));
        if (part.Missing.Count > 0)
            await missing.AddAsync(run.Id, part.Missing, cancellationToken);
        return new ScannedPart([.. part.Users, .. asked.Found], readAt, position) { Unchanged = part.Unchanged, Problems = asked.Problems };
    }

    private sealed class Part(RunRequest request, bool needsAll)
    {
        public bool NeedsAll => needsAll;

        public List<Subject> Users { get; } = [];

        public List<string> Missing { get; } = [];

        /// <summary>Directory users whose record differs from Keycloak's table: only Keycloak knows their state.</summary>
        public List<string> Doubtful { get; } = [];

        /// <summary>Directory users without a record, or with a deleted one.</summary>
        public List<string> Linked { get; } = [];

        public string Realm => request.Realm;

        public int Unchanged { get; private set; }

        public bool IsFull => Users.Count + Doubtful.Count >= BatchUsers || Unchanged >= PartUsers;

        public void Add(StoredUser user, KnownUser? record)
        {
            if (request.Since is { } since && user.CreatedAtMs < since.ToUnixTimeMilliseconds())
                return;
            if (!needsAll && record is { IsConsistent: true } known && known.State == StateOf(user)
                && (Subject.Instant(user.CreatedAtMs) is not { } created || created == known.CreatedAt))
            {
                Unchanged += user.IsService ? 0 : 1;
                return;
            }

            if (
                user.FederationLink is not null && record is { State: "account" or "held" } recorded
                    && recorded.State != StateOf(user))
            {
                Doubtful.Add(user.Id);
                return;
            }

            if (user.FederationLink is not null && record is null)
                Linked.Add(user.Id);
            Users.Add(Subject.From(request.Realm, user.ToUser(), isRegularUser: !user.IsService));
        }

        // A user that was read since, is older than requested, or is in no database counts as shown.
        public void AddMissing(KnownUser record, DateTimeOffset readAt)
        {
            if (
                record.CheckedAt < readAt.UtcDateTime && !(record.CreatedAt < request.Since)
                    && !record.KeycloakId.StartsWith("f:", StringComparison.Ordinal))
                Missing.Add(record.KeycloakId);
        }

        private static string StateOf(StoredUser user) => user.IsService ? "service_account" : user.Enabled ? "account" : "held";
    }
}
