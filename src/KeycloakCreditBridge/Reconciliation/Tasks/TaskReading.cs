using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Awards;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Policy.Tasks;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Reconciliation.Scans;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation.Tasks;

/// <summary>
/// Reads users who may still earn credits by a task whose evidence Keycloak has, each by id and at a limited rate, and pays what is due.
/// It has a lease of its own: it may take hours, in which missing users are found as always.
/// </summary>
internal sealed class TaskReading(
    UndoneTaskStore undone, AccountFactsStore facts, PolicyActivation activation, UserByIdReader reader, Provisioner provisioner,
    Hot<GrantPolicy> policies, IOptions<GrantsOptions> options, LeaseStore leases, TimeProvider clock)
{
    private const int PageUsers = 500;

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    /// <summary>Reads all of them once; null when another process does so now.</summary>
    /// <param name="realm">The realm's name.</param>
    /// <param name="dryRun">Only count them, and ask Keycloak nothing.</param>
    /// <param name="progress">Gets the counts after each second.</param>
    /// <param name="cancellationToken">Ends it after the users at hand. What was paid stays, and the next reading begins anew.</param>
    /// <exception cref="Keycloak.KeycloakException">Keycloak does not answer, or refuses the bridge.</exception>
    /// <exception cref="OperationCanceledException">It was stopped, or the lease ran out.</exception>
    public async Task<TaskReadingCounts?> RunAsync(
        string realm, bool dryRun, IProgress<TaskReadingCounts> progress, CancellationToken cancellationToken)
    {
        using var span = Spans.Start("read tasks of realm", ("credits.realm", realm));
        await using var lease = await HeldLease.TakeAsync(leases, clock, $"tasks:{realm}", cancellationToken);
        if (lease is null)
            return null;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lease.Lost);
        var policy = policies.Current;
        var counts = new TaskReadingCounts(0, 0, 0, []);
        if (policy.PoliciesOf(realm) is not { } configured)
            return counts;
        var active = await activation.ActiveAsync(realm, configured.Names, either.Token);
        TaskTerms[] tasks = [.. configured.Tasks.Where(task => task.IsShownByKeycloak && active.ContainsKey(task.Key))];
        if (tasks.Length == 0)
            return counts;
        var openedSince = tasks.Min(task => active[task.Key]);
        var keys = tasks.Select(task => task.Key).ToArray();
        var after = "";
        while (await undone.AfterAsync(realm, after, openedSince, keys, PageUsers, either.Token) is { Count: > 0 } page)
        {
            after = page[^1];
            var open = (await FactsAsync(configured, realm, page, active, either.Token))
                .Where(user => Array.Exists(tasks, task => TaskPlan.IsOpen(task, user.Value))).ToList();
            foreach (var some in open.Chunk(options.Value.TasksPerSecond))
            {
                var began = clock.GetTimestamp();
                counts += dryRun
                    ? new(some.Length, 0, 0, [])
                    : await ReadAsync(policy, configured, realm, some.ToDictionary(), active, either.Token);
                progress.Report(counts);
                var rest = Second - clock.GetElapsedTime(began);
                if (!dryRun && rest > TimeSpan.Zero)
                    await Task.Delay(rest, clock, either.Token);
            }
        }

        return counts;
    }

    // Users that Keycloak no longer has are left to complete runs, which close their accounts.
    private async Task<TaskReadingCounts> ReadAsync(
        GrantPolicy policy, RealmPolicies configured, string realm, Dictionary<string, AccountFacts> users,
        IReadOnlyDictionary<string, DateTimeOffset> active, CancellationToken cancellationToken)
    {
        var readAt = clock.GetUtcNow();
        var asked = await reader.ReadAsync(
            policy, realm, users.Keys, cancellationToken,
            users.ToDictionary(user => user.Key, user => configured.NeededFor(user.Value), StringComparer.Ordinal));
        var result = await provisioner.ConvergeAsync(
            asked.Found.Select(subject => policy.Evaluate(subject, readAt, HintSources.Schedule)), CancellationToken.None);
        var paid = (await FactsAsync(configured, realm, users.Keys, active, CancellationToken.None))
            .Sum(user => user.Value.Given.Except(users[user.Key].Given).Count());
        string[] problems = [
            .. asked.Problems, .. result.Refusals.Select(refusal =>
                $"User {refusal.DesiredState.KeycloakId} could not be stored: {refusal.Reason}")];
        return new(users.Count, paid, problems.Length, problems);
    }

    private async Task<Dictionary<string, AccountFacts>> FactsAsync(
        RealmPolicies configured, string realm, IEnumerable<string> keycloakIds, IReadOnlyDictionary<string, DateTimeOffset> active,
        CancellationToken cancellationToken) =>
        (await facts.ReadAsync(
            [.. keycloakIds.Select(id => new GrantUser(realm, id, null))], configured.HasTopUps, cancellationToken))
        .ToDictionary(user => user.Key.KeycloakId, user => user.Value with { Activated = active }, StringComparer.Ordinal);
}

/// <summary>How far a reading is.</summary>
/// <param name="Users">Users who may still earn something, that were read.</param>
/// <param name="Paid">Grants that they got by it.</param>
/// <param name="Failed">Users that could not be read or stored.</param>
/// <param name="Problems">Why, of some of them.</param>
internal sealed record TaskReadingCounts(long Users, long Paid, long Failed, IReadOnlyList<string> Problems)
{
    private const int MostProblems = 20;

    public static TaskReadingCounts operator +(TaskReadingCounts left, TaskReadingCounts right) => Add(left, right);

    public static TaskReadingCounts Add(TaskReadingCounts left, TaskReadingCounts right) => new(
        left.Users + right.Users, left.Paid + right.Paid, left.Failed + right.Failed,
        [.. left.Problems.Concat(right.Problems).Take(MostProblems)]);
}
