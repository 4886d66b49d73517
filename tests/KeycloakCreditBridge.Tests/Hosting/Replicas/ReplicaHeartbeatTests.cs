using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Hosting.Replicas;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;
using KeycloakCreditBridge.Tests.Storage.Sessions;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Hosting.Replicas;

/// <summary>What a replica that runs finds in the database.</summary>
public sealed class ReplicaHeartbeatTests(PostgresFixture postgres)
{
    private const string LaterSql = "insert into schema_migrations values (9000, '9000_later', 'x', now(), 9000)";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_replica_that_cannot_show_itself_ends_all_the_same_when_the_schema_needs_a_newer_program()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync("alter table replicas rename to hidden");
        await using var replica = Build(database.ConnectionString);
        var gate = replica.Services.GetRequiredService<SchemaGate>();

        await Assert.ThrowsAsync<PostgresException>(() => BeatAsync(replica));
        Assert.Null(gate.Refusal);

        await database.ExecuteAsync(LaterSql);
        await Assert.ThrowsAsync<PostgresException>(() => BeatAsync(replica));
        Assert.NotNull(gate.Refusal);
    }

    [StartsPrograms, Fact]
    public async Task A_pooler_that_is_switched_to_transactions_ends_no_replica_and_a_later_schema_does()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var bouncer = await PgBouncer.StartAsync(database, "transaction");
        await using var replica = Build(bouncer.ConnectionString);
        var gate = replica.Services.GetRequiredService<SchemaGate>();

        await BeatAsync(replica);
        Assert.Null(gate.Refusal);

        await database.ExecuteAsync(LaterSql);
        await BeatAsync(replica);
        Assert.NotNull(gate.Refusal);
    }

    private static BridgeFixture Build(string connectionString) =>
        BridgeFixture.Build(BridgeFixture.Settings(connectionString, new Uri("http://localhost:9/")));

    private static Task BeatAsync(BridgeFixture replica) => replica.Services.GetRequiredService<ReplicaHeartbeat>().BeatAsync(Token);
}
