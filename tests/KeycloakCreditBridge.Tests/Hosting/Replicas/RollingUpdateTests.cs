using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Storage.Migrations;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Faults;
using KeycloakCreditBridge.Tests.Running;
using Microsoft.Extensions.Logging.Abstractions;

namespace KeycloakCreditBridge.Tests.Hosting.Replicas;

/// <summary>A newer program migrates the schema while replicas of this one work on it.</summary>
[StartsPrograms]
public sealed class RollingUpdateTests
{
    private const int Users = 300;
    private const int Later = 9000;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_replica_shows_itself_while_it_runs()
    {
        await using var fixture = await FaultFixture.CreateAsync();
        await using (var stopped = await BridgeProcess.StartAsync(fixture.BridgeUrl, fixture.HintsOnly))
        {
            await Eventually.TrueAsync(async () => await fixture.CountAsync("replicas") == 1, "it is in the table");
            Assert.Equal(
                Migration.Embedded[^1].Version, await fixture.Database.ScalarAsync<int>("select last_migration from replicas"));
            Assert.True(await stopped.TerminateAsync());
        }

        Assert.Equal(0, await fixture.CountAsync("replicas"));
    }

    [Fact]
    public async Task Replicas_of_this_program_work_before_during_and_after_a_migration_that_only_adds()
    {
        await using var fixture = await FaultFixture.CreateAsync();
        await using var running = await BridgeProcess.StartAsync(fixture.BridgeUrl, fixture.HintsOnly);
        var created = CreateAsync(fixture, 0, Users);
        await Eventually.TrueAsync(async () => await fixture.AccountsAsync() > 0, "users come in");

        await MigrateAsync(
            fixture, requires: 0, "alter table user_credits add column later text not null default 'x'; create table later (id integer)");
        // A rollback starts this program again on the later schema.
        await using var restarted = await BridgeProcess.StartAsync(FaultFixture.NewUrl(), fixture.HintsOnly);
        await created;
        await Eventually.TrueAsync(
            async () => await fixture.AccountsAsync() == Users && await fixture.HintsAsync() == 0, "every user has an account");
        Assert.Single(restarted.Log.Split('\n'), line => line.Contains("9000_later", StringComparison.Ordinal));
        Assert.True(await running.TerminateAsync());

        // The restarted one works alone: what is reported to the stopped one's address is repeated by no plugin here.
        await fixture.Database.ExecuteAsync(
            """
            insert into user_hints (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at)
            select realm, keycloak_id, nextval('user_hints_version'), 'webhook', 'USER-UPDATE', 'changed', now(), now()
            from keycloak_users
            """);
        await Eventually.TrueAsync(async () => await fixture.HintsAsync() == 0, "it processes all hints");
        Assert.Equal(Users, await fixture.CountAsync("credit_transactions"));
        Assert.True(await restarted.TerminateAsync());
    }

    [Fact]
    public async Task A_migration_that_needs_a_newer_program_ends_a_replica_that_the_migrator_did_not_see()
    {
        await using var fixture = await FaultFixture.CreateAsync();
        using var replica = CommandProcess.Start(
            new Dictionary<string, string?>(FaultFixture.Optional(fixture.HintsOnly), StringComparer.OrdinalIgnoreCase)
            {
                ["ASPNETCORE_URLS"] = fixture.BridgeUrl.ToString(),
            },
            "run");
        await Eventually.TrueAsync(
            async () => await fixture.Database.ScalarAsync<bool>("select to_regclass('replicas') is not null")
                && await fixture.CountAsync("replicas") == 1,
            "it runs");
        await Eventually.TrueAsync(
            async () =>
            {
                // Until the next time that it shows itself.
                await fixture.Database.ExecuteAsync("update replicas set last_seen = now() - interval '2 minutes'");
                try
                {
                    await MigrateAsync(fixture, requires: Later, "create table later (id integer)");
                    return true;
                }
                catch (OlderReplicasException)
                {
                    return false;
                }
            },
            "the migrator does not see it");

        Assert.Equal(2, await replica.EndAsync());
        Assert.Contains("9000_later, which needs a program that has migration 9000", replica.Output, StringComparison.Ordinal);
    }

    private static Task CreateAsync(FaultFixture fixture, int from, int to) => Parallel.ForEachAsync(
        Enumerable.Range(from, to - from),
        new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = Token },
        async (number, _) => await fixture.CreateUserAsync($"user-{number}"));

    private static async Task MigrateAsync(FaultFixture fixture, int requires, string sql)
    {
        var newer = new Migrator(fixture.Database.DataSource, TimeProvider.System, NullLogger<Migrator>.Instance)
        {
            Known = [.. Migration.Embedded, new Migration(Later, "9000_later", sql, "x", requires)],
        };
        Assert.Equal(1, await newer.MigrateAsync(Token));
    }
}
