using System.Globalization;
using KeycloakCreditBridge.Configuration.Shell;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Hosting.Schedule;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Storage.Migrations;
using KeycloakCreditBridge.Storage.Replicas;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Doctor;

/// <summary>What can be wrong in PostgreSQL, and which work is overdue there.</summary>
internal sealed class DatabaseChecks(
    PrivilegeStore privileges, Migrator migrator, ReplicaStore replicas, AdoptionMarkStore adoption, HintStore hints, HintListStore listed,
    CompleteRunStore runs, IOptions<ProvisioningOptions> provisioning, ScheduleStore schedule, IOptions<QuartzHostOptions> quartz,
    TimeProvider clock)
{
    private const int OldestMajor = 15;

    private static readonly TimeSpan LateAfter = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan MaxClockDifference = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan StaleAfter = TimeSpan.FromDays(1);

    // Replicas that run the schedule show it every 7.5 s.
    private static readonly TimeSpan SilentAfter = TimeSpan.FromMinutes(1);

    public async Task<Finding> ReachAsync(CancellationToken cancellationToken)
    {
        await privileges.ServerAsync(cancellationToken);
        return Finding.Ok("PostgreSQL answers");
    }

    public async Task<Finding> ServerAsync(CancellationToken cancellationToken)
    {
        var server = await privileges.ServerAsync(cancellationToken);
        if (server.ReadOnly)
            return Finding.Fail("PostgreSQL is a standby and accepts no writes", "point Storage:ConnectionString at the primary");
        return server.Major < OldestMajor
            ? Finding.Fail($"PostgreSQL is {server.Version}", $"update it to {OldestMajor} or later")
            : Finding.Ok($"PostgreSQL is {server.Version} and accepts writes");
    }

    public async Task<Finding> ClockAsync(CancellationToken cancellationToken)
    {
        var asked = clock.GetUtcNow();
        var server = await privileges.ServerAsync(cancellationToken);
        var answered = clock.GetUtcNow();
        // PostgreSQL read its clock between the two.
        var apart = server.Now < asked ? server.Now - asked : server.Now > answered ? server.Now - answered : TimeSpan.Zero;
        return apart.Duration() <= MaxClockDifference
            ? Finding.Ok("PostgreSQL's clock agrees with this one")
            : Finding.Warn(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"PostgreSQL's clock is {Math.Abs(apart.TotalSeconds):0} s {(apart > TimeSpan.Zero ? "ahead of" : "behind")} this one"),
                "synchronise both by NTP: replicas with different clocks take over work that is still running, and do it twice");
    }

    public async Task<Finding> SchemaAsync(CancellationToken cancellationToken)
    {
        if (!await migrator.IsCurrentAsync(cancellationToken))
            return Finding.Fail("the schema is not migrated", "run `KeycloakCreditBridge migrate`") with { Ends = true };
        return await adoption.IsDueAsync(cancellationToken)
            ? Finding.Fail(
                "accounts from before the bridge are not adopted", "run `KeycloakCreditBridge adopt --plan`, then `adopt --apply`")
            : Finding.Ok("the schema is current");
    }

    public async Task<Finding> ReplicasAsync(CancellationToken cancellationToken)
    {
        var live = await replicas.LiveAsync(cancellationToken);
        if (live.Count == 0)
            return Finding.Ok("no replica runs");
        var versions = live.CountBy(replica => replica.Version, StringComparer.Ordinal).ToList();
        var list = string.Join(", ", live.Select(replica => $"{replica.Id} (version {replica.Version})"));
        return versions.Count == 1
            ? Finding.Ok(string.Create(CultureInfo.InvariantCulture, $"{live.Count} live: {list}"))
            : Finding.Warn($"replicas run different versions: {list}", "finish the rolling update, or roll all of them back");
    }

    // Another version may have settings that this one lacks.
    public async Task<Finding> SettingsAsync(CancellationToken cancellationToken)
    {
        var live = await replicas.LiveAsync(cancellationToken);
        var differing = live.Where(replica => replica.Settings is not null)
            .GroupBy(replica => replica.Version, StringComparer.Ordinal)
            .Select(ofVersion => ofVersion.GroupBy(replica => replica.Settings, StringComparer.Ordinal).ToList())
            .FirstOrDefault(settings => settings.Count > 1);
        return differing is null
            ? Finding.Ok("live replicas have the same settings")
            : Finding.Warn(
                $"replicas run with different settings: {string.Join("; ", differing.Select(Names))}",
                "give all of them the same settings, and restart those whose log names settings that need a restart (event 796)");

        static string Names(IEnumerable<Replica> same) => string.Join(", ", same.Select(replica => replica.Id));
    }

    public async Task<Finding> PrivilegesAsync(CancellationToken cancellationToken)
    {
        var lacking = await privileges.MissingAsync(Renames(), cancellationToken);
        return lacking.Count == 0
            ? Finding.Ok("the role has all privileges that it needs")
            : Finding.Fail(
                $"the role lacks {string.Join(", ", lacking)}",
                "run `migrate` if tables are missing; otherwise `migrate --grant-to ROLE` as the owner, or these statements: "
                + $"{string.Join("; ", await privileges.StatementsAsync(lacking, cancellationToken))}");
    }

    // Settings that cannot be used are a finding of their own.
    private bool Renames()
    {
        try
        {
            return new GrantPolicy(provisioning).Renames;
        }
        catch (Exception exception) when (exception is OptionsValidationException or InvalidOperationException or FormatException)
        {
            return false;
        }
    }

    public async Task<Finding> ScheduleAsync(CancellationToken cancellationToken)
    {
        if (!quartz.Value.Enabled)
            return Finding.Ok($"{quartz.Value.Setting} is false: this replica runs no schedule");
        const string Cure = "check that the service runs; `/health/ready` says why its schedule does not";
        try
        {
            return await schedule.CheckedInAsync(cancellationToken) switch
            {
                null => Finding.Ok("the schedule has not run yet"),
                { } last when clock.GetUtcNow() - last > SilentAfter => Finding.Warn(
                    string.Create(CultureInfo.InvariantCulture, $"the schedule does not run since {last:u}"), Cure),
                _ => Finding.Ok("the schedule runs"),
            };
        }
        catch (ScheduleException exception)
        {
            return Finding.Fail($"the schedule cannot run: {exception.Message}");
        }
    }

    public async Task<Finding> OtherRealmsAsync(IReadOnlyCollection<string> watched, CancellationToken cancellationToken)
    {
        var late = (await hints.UnwatchedAsync(watched, cancellationToken)).Where(realm => clock.GetUtcNow() - realm.Oldest > LateAfter)
            .ToList();
        return late.Count == 0
            ? Finding.Ok("no hint waits for a realm that is not configured here")
            : Finding.Warn(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"hints wait for realms that are not configured here: {string.Join(
                        ", ", late.Select(realm => $"{realm.Realm} ({realm.Waiting}, since {realm.Oldest:u})"))}"),
                "check that the bridge of these realms runs; run `realm rename OLD NEW` for one that was renamed, `hints drop` for one "
                    + "that was removed");
    }

    public async Task<Finding> LateHintsAsync(CancellationToken cancellationToken)
    {
        var backlog = await hints.BacklogAsync(cancellationToken);
        if (backlog.Oldest is not { } oldest || clock.GetUtcNow() - oldest <= LateAfter)
            return Finding.Ok(string.Create(CultureInfo.InvariantCulture, $"{backlog.Waiting} hints wait, none for long"));
        var first = await listed.ListAsync(null, "waiting", 1, cancellationToken);
        var reason = first.Count == 1 && first[0].Error is { } error ? $": {error}" : "";
        return Finding.Warn(
            string.Create(CultureInfo.InvariantCulture, $"{backlog.Waiting} hints wait, the oldest since {oldest:u}{reason}"),
            "check that the service runs; `hints list --waiting` says why each waits");
    }

    public async Task<Finding> DeadHintsAsync(CancellationToken cancellationToken)
    {
        var dead = await listed.ListAsync(null, "dead", 1, cancellationToken);
        return dead.Count == 0
            ? Finding.Ok("no hint is dead")
            : Finding.Fail(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{dead[0].Total} hints are dead, the oldest one of user {dead[0].KeycloakId}: {dead[0].Error}"),
                "correct what `hints list --dead` says, then run `hints retry --all-dead`");
    }

    public async Task<Finding> LeftOutAsync(string realm, CancellationToken cancellationToken)
    {
        var leftOut = await runs.LeftOutAsync(realm, cancellationToken);
        return leftOut == 0
            ? Finding.Ok("no user is left out")
            : Finding.Warn(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{leftOut} users have no account, because the accounts of their ids belong to other users"),
                "run `realm rename OLD NEW` if the realm was renamed; otherwise see which account is whose with `account show`");
    }

    public async Task<Finding> ReconciledAsync(string realm, CancellationToken cancellationToken)
    {
        var latest = await runs.LatestAsync(realm, cancellationToken);
        var cure =
            $"run `KeycloakCreditBridge reconcile --realm {ShellWord.Of(realm)}`, and "
            + $"check that Reconciliation:Enabled is true in a running service";
        if (latest is not { } ended)
            return Finding.Warn("the realm was never reconciled to the end", cure);
        var says = string.Create(CultureInfo.InvariantCulture, $"last reconciled to the end at {ended:u}");
        return clock.GetUtcNow() - ended > StaleAfter ? Finding.Warn(says, cure) : Finding.Ok(says);
    }
}
