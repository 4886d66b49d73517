using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Intake.Broker;

[StartsPrograms]
public sealed class BrokerFaultTests(PostgresFixture postgres)
{
    private const string Queue = "credit-bridge.events";

    [Fact]
    public async Task A_broker_that_goes_and_comes_back_is_joined_again_and_what_it_kept_is_taken()
    {
        await using var rabbit = await RabbitFixture.StartAsync();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var keycloak = await EmulatorFixture.StartAsync();
        foreach (var id in new[] { "ana", "ben" })
            keycloak.Server.Realm(EmulatorFixture.Realm).AddUser(new EmulatedUser(id, id));
        await using (var first = await BridgeFixture.Build(database, keycloak, rabbit.Settings(Queue)).StartAsync())
        {
            await TakesAsync(first, 1);
            await first.StopAsync();
        }

        await rabbit.PublishAsync(BrokerEvents.Client("demo", "ana"));
        await rabbit.StopAsync();
        await using var bridge = await BridgeFixture.Build(database, keycloak, rabbit.Settings(Queue)).StartAsync();
        await Eventually.TrueAsync(() => Lines(bridge, "No events come by the broker") == 1, "it says that the broker is away");
        await rabbit.StartAgainAsync();
        await AccountsAsync(database, "ana");
        await rabbit.StopAsync();
        await Eventually.TrueAsync(() => Lines(bridge, "No events come by the broker") == 2, "it says so again");
        await rabbit.StartAgainAsync();
        await TakesAsync(bridge, 2);
        await rabbit.PublishAsync(BrokerEvents.Client("demo", "ben"));

        await AccountsAsync(database, "ana,ben");
        Assert.Equal(2, Lines(bridge, "No events come by the broker"));
        await bridge.StopAsync();
    }

    [Fact]
    public async Task While_the_database_is_away_events_wait_with_the_broker_and_none_is_a_dead_letter()
    {
        await using var rabbit = await RabbitFixture.StartAsync();
        await using var server = await PostgresFixture.StartOwnAsync();
        var connectionString = await server.CreateDatabaseAsync("bridge", TestContext.Current.CancellationToken);
        await using var keycloak = await EmulatorFixture.StartAsync();
        keycloak.Server.Realm(EmulatorFixture.Realm).AddUser(new EmulatedUser("ana", "ana"));
        await using var bridge = await BridgeFixture
            .Build(BridgeFixture.Settings(connectionString, keycloak.Server.Url), rabbit.Settings(Queue)).StartAsync();
        await TakesAsync(bridge, 1);

        await server.StopAsync(immediate: true);
        await rabbit.PublishAsync(BrokerEvents.Client("demo", "ana"));
        await Eventually.TrueAsync(() => Lines(bridge, "Events of the broker wait") == 1, "it says that they wait");
        await server.StartAgainAsync(TestContext.Current.CancellationToken);

        await using var dataSource = NpgsqlDataSource.Create(connectionString + ";Pooling=false");
        await using var command = dataSource.CreateCommand("select count(*)::int from user_credits where user_id = 'ana'");
        await Eventually.TrueAsync(
            async () => (int)(await command.ExecuteScalarAsync(TestContext.Current.CancellationToken))! == 1, "the account is open");
        await Eventually.TrueAsync(async () => await rabbit.WaitingAsync(Queue) == 0, "the queue is empty");
        Assert.Equal(0u, await rabbit.WaitingAsync($"{Queue}.dead"));
        await bridge.StopAsync();
    }

    [Fact]
    public async Task What_the_broker_refuses_is_named_with_its_cure_by_log_and_doctor()
    {
        await using var rabbit = await RabbitFixture.StartAsync();
        await using var database = await postgres.CreateDatabaseAsync();
        await using var keycloak = await EmulatorFixture.StartAsync();
        (string Key, string? Value)[] good = rabbit.Settings(Queue);

        await FindsAsync("grant the user 'visitor' what docs/rabbitmq.md lists", ("Intake:Broker:UserName", "visitor"));
        await FindsAsync("check Intake:Broker:UserName and Password", ("Intake:Broker:Password", "wrong"));
        await FindsAsync("give an existing virtual host", ("Intake:Broker:Url", rabbit.Url + "x"));
        await FindsAsync("as Intake:Broker:Exchange", ("Intake:Broker:Exchange", "missing"));
        await FindsAsync(
            "make the queue, or set Intake:Broker:Declare to true", ("Intake:Broker:Declare", "false"),
            ("Intake:Broker:Queue", "credit-bridge.unmade"));
        await FindsAsync("check Intake:Broker:Url and the network", ("Intake:Broker:Url", "amqp://127.0.0.1:9/keycloak"));

        async Task FindsAsync(string cure, params (string Key, string? Value)[] wrong)
        {
            var settings = BridgeFixture.Settings(database.ConnectionString, keycloak.Server.Url);
            foreach (var (key, value) in good.Concat(wrong))
                settings[key] = value;
            await using var bridge = await BridgeFixture.Build(settings).StartAsync();
            await Eventually.TrueAsync(() => Lines(bridge, cure) == 1, $"the log says: {cure}");
            await bridge.StopAsync();
            // The doctor makes nothing, and so does not meet a missing exchange or permission.
            if (wrong[0].Key is "Intake:Broker:Exchange" or "Intake:Broker:UserName")
                return;
            var doctor = await CommandProcess.RunAsync(settings, "doctor");
            Assert.Contains(cure, doctor.Output, StringComparison.Ordinal);
            Assert.NotEqual(0, doctor.ExitCode);
        }
    }

    private static int Lines(BridgeFixture bridge, string text) =>
        bridge.Log.All.Count(line => line.Contains(text, StringComparison.Ordinal));

    private static Task TakesAsync(BridgeFixture bridge, int times) =>
        Eventually.TrueAsync(() => Lines(bridge, "Events are taken from the broker") == times, "events are taken");

    private static Task AccountsAsync(TestDatabase database, string ids) => Eventually.TrueAsync(
        async () => await database.ScalarAsync<string>("select string_agg(user_id, ',' order by user_id) from user_credits") == ids,
        $"{ids} have accounts");
}
