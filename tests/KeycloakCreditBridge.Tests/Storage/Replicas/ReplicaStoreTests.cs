using KeycloakCreditBridge.Storage.Migrations;
using KeycloakCreditBridge.Storage.Replicas;
using Microsoft.Extensions.Logging.Abstractions;

namespace KeycloakCreditBridge.Tests.Storage.Replicas;

public sealed class ReplicaStoreTests(PostgresFixture postgres)
{
    private const int Later = 9000;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_replica_that_was_not_seen_for_a_minute_is_not_live_and_after_a_day_its_row_is_deleted()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var replicas = new ReplicaStore(database.DataSource);
        foreach (var id in new[] { "a", "b", "c" })
            await replicas.SeenAsync(id, "1.2.0", 32, "same", Token);
        await database.ExecuteAsync("update replicas set last_seen = now() - interval '61 seconds' where id = 'a'");
        await database.ExecuteAsync("update replicas set last_seen = now() - interval '25 hours' where id = 'b'");

        Assert.Equal(["c"], (await replicas.LiveAsync(Token)).Select(replica => replica.Id));

        await replicas.SeenAsync("a", "1.2.0", 32, "same", Token);
        Assert.Equal(["a", "c"], (await replicas.LiveAsync(Token)).Select(replica => replica.Id));
        Assert.Equal(2, await database.ScalarAsync<int>("select count(*)::int from replicas"));
    }

    [Fact]
    public async Task A_migration_that_needs_a_newer_program_waits_for_older_replicas_and_names_them()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var replicas = new ReplicaStore(database.DataSource);
        await replicas.SeenAsync("host/1/x", "1.2.0", Later - 1, "same", Token);
        await replicas.SeenAsync("host/2/y", "1.3.0", Later, "same", Token);

        var error = await Assert.ThrowsAsync<OlderReplicasException>(() => Newer(database, Later).MigrateAsync(Token));
        Assert.Equal(
            "Migration 9000_later needs replicas that have migration 9000. Stop these first: host/1/x (version 1.2.0).", error.Message);
        Assert.False(await database.ScalarAsync<bool>("select to_regclass('later') is not null"));

        await replicas.RemoveAsync("host/1/x", Token);
        Assert.Equal(1, await Newer(database, Later).MigrateAsync(Token));
    }

    [Fact]
    public async Task A_migration_that_only_adds_and_a_replica_that_is_not_live_wait_for_nothing()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await new ReplicaStore(database.DataSource).SeenAsync("host/1/x", "1.2.0", Later - 1, "same", Token);
        Assert.Equal(1, await Newer(database, 0).MigrateAsync(Token));

        await using var other = await postgres.CreateDatabaseAsync();
        await new ReplicaStore(other.DataSource).SeenAsync("host/1/x", "1.2.0", Later - 1, "same", Token);
        await other.ExecuteAsync("update replicas set last_seen = now() - interval '61 seconds'");
        Assert.Equal(1, await Newer(other, Later).MigrateAsync(Token));
    }

    private static Migrator Newer(TestDatabase database, int requires) =>
        new(database.DataSource, TimeProvider.System, NullLogger<Migrator>.Instance)
        {
            Known = [.. Migration.Embedded, new Migration(Later, "9000_later", "create table later (id integer)", "x", requires)],
        };
}
