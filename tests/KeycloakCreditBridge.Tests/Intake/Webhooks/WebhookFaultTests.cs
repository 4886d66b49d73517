using System.Net;
using KeycloakCreditBridge.Tests.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Intake.Webhooks;

public sealed class WebhookFaultTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task While_the_database_is_away_deliveries_are_sent_back_and_when_it_returns_they_are_taken()
    {
        await using var server = await PostgresFixture.StartOwnAsync();
        var connectionString = await server.CreateDatabaseAsync("bridge", Token);
        await using var host = await IntakeFixture.StartAsync(connectionString);
        await host.SchemaReadyAsync();
        Assert.Equal(HttpStatusCode.NoContent, (await host.DeliverAsync(Deliveries.UserEvent("before"))).Status);

        await server.StopAsync(immediate: true);
        var sentBack = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(number => host.DeliverAsync(Deliveries.UserEvent($"u{number}"))));
        Assert.All(sentBack, answer => Assert.Equal((HttpStatusCode.ServiceUnavailable, "5"), (answer.Status, answer.RetryAfter)));

        await server.StartAgainAsync(Token);
        await Eventually.TrueAsync(
            async () => (await host.DeliverAsync(Deliveries.UserEvent("after"))).Status == HttpStatusCode.NoContent,
            "deliveries are taken again");
        await using var dataSource = NpgsqlDataSource.Create(connectionString + ";Pooling=false");
        await using var command = dataSource.CreateCommand(
            "select array_agg(keycloak_id order by keycloak_id) from user_hints where keycloak_id in ('before', 'after')");
        Assert.Equal(["after", "before"], (string[])(await command.ExecuteScalarAsync(Token))!);
    }

    [Fact]
    public async Task Before_the_schema_is_ready_deliveries_are_sent_back()
    {
        await using var database = await postgres.CreateEmptyDatabaseAsync();
        await using var host = await IntakeFixture.StartAsync(database.ConnectionString, ("Storage:MigrateOnStart", "false"));
        await Eventually.TrueAsync(() => host.SchemaProblem is not null, "it has looked for the schema");
        var (status, _, retryAfter) = await host.DeliverAsync(Deliveries.UserEvent("u1"));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "5"), (status, retryAfter));
    }

    [Fact]
    public async Task A_delivery_is_answered_only_when_its_hint_is_committed()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await IntakeFixture.StartAsync(database.ConnectionString);
        await host.SchemaReadyAsync();
        await using var connection = await database.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await LockHintsAsync(connection);

        var delivery = host.DeliverAsync(Deliveries.UserEvent("u1"));
        await WriterWaitsAsync(database);
        Assert.False(delivery.IsCompleted);
        await transaction.RollbackAsync(Token);
        Assert.Equal(HttpStatusCode.NoContent, (await delivery).Status);
        Assert.Equal(["u1"], await database.QueryAsync<string>("select keycloak_id from user_hints"));
    }

    [Fact]
    public async Task Deliveries_that_come_together_share_commits()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await IntakeFixture.StartAsync(database.ConnectionString);
        await host.SchemaReadyAsync();
        await using var connection = await database.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await LockHintsAsync(connection);

        var deliveries = Enumerable.Range(0, 64).Select(number => host.DeliverAsync(Deliveries.UserEvent($"u{number}"))).ToList();
        await Eventually.TrueAsync(() => host.Arrived == 64, "all have come");
        await WriterWaitsAsync(database);
        await transaction.RollbackAsync(Token);
        Assert.All(await Task.WhenAll(deliveries), answer => Assert.Equal(HttpStatusCode.NoContent, answer.Status));
        Assert.Equal(64, await database.ScalarAsync<int>("select count(*)::int from user_hints"));
        Assert.InRange(await database.ScalarAsync<int>("select count(distinct xmin::text)::int from user_hints"), 1, 16);
    }

    private static async Task LockHintsAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand("lock table user_hints in exclusive mode", connection);
        await command.ExecuteNonQueryAsync(Token);
    }

    private static Task WriterWaitsAsync(TestDatabase database) => Eventually.TrueAsync(
        () => database.WaitsAsync("user_hints"), "the writer waits for the table");
}
