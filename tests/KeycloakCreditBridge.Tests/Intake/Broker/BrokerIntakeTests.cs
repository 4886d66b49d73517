using System.Text;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Intake.Broker;

[StartsPrograms]
public sealed class BrokerIntakeTests(RabbitFixture rabbit, PostgresFixture postgres) : IClassFixture<RabbitFixture>
{
    private readonly string _queue = $"credit-bridge.{Guid.NewGuid():n}";

    [Fact]
    public async Task Events_of_each_plugin_open_accounts_once_and_leave_the_queue()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var keycloak = await EmulatorFixture.StartAsync();
        await using var bridge = await StartAsync(database, keycloak);
        foreach (var id in new[] { "ana", "ben", "cleo" })
            keycloak.Server.Realm(EmulatorFixture.Realm).AddUser(new EmulatedUser(id, id));

        await rabbit.PublishAsync(
            BrokerEvents.Client("demo", "ana"), BrokerEvents.Admin("demo", "ben"), BrokerEvents.Vymalo("demo", "cleo"),
            BrokerEvents.Client("demo", "ana"), BrokerEvents.Client("demo", "ana", "LOGIN"));

        await AccountsAsync(database, "ana,ben,cleo");
        await EmptyAsync(_queue);
        Assert.Equal("broker", await database.ScalarAsync<string>("select distinct metadata ->> 'source' from credit_transactions"));
        Assert.Equal(3, await database.ScalarAsync<int>("select count(*)::int from credit_transactions"));
        Assert.Contains("bridge_broker_accepted_total{realm=\"demo\"} 5", await bridge.ReadMetricsAsync(), StringComparison.Ordinal);
        await Eventually.TrueAsync(
            async () => await database.ScalarAsync<int>(
                "select count(*)::int from deliveries where way = 'broker' and outcome in ('converged', 'stored')") == 5,
            "all are recorded");
        await bridge.StopAsync();
    }

    [Theory]
    [InlineData("no json")]
    [InlineData("[1, 2]")]
    [InlineData("null")]
    [InlineData("""{"@class":"x","time":"late","realmId":1,"type":5}""")]
    [InlineData("""{"time":1,"realmId":"r","type":"REGISTER","type":"LOGIN","userId":"u"}""")]
    [InlineData("longest")]
    public async Task What_can_never_be_read_is_a_dead_letter_and_what_comes_with_it_is_taken(string body)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var keycloak = await EmulatorFixture.StartAsync();
        await using var bridge = await StartAsync(database, keycloak);
        foreach (var id in new[] { "ana", "ben" })
            keycloak.Server.Realm(EmulatorFixture.Realm).AddUser(new EmulatedUser(id, id));
        var poison = body == "longest" ? new string(' ', 2_000_000) + "{}" : body;

        await rabbit.PublishAsync(
            BrokerEvents.Client("demo", "ana"), ("KK.EVENT.CLIENT.demo.SUCCESS.app.REGISTER", Encoding.UTF8.GetBytes(poison)),
            BrokerEvents.Admin("demo", "ben"));

        await AccountsAsync(database, "ana,ben");
        await EmptyAsync(_queue);
        await Eventually.TrueAsync(async () => await rabbit.WaitingAsync($"{_queue}.dead") == 1, "it is a dead letter");
        var reason = body == "longest" ? "too_long" : "malformed";
        Assert.Contains(
            $"bridge_broker_refused_total{{realm=\"demo\",reason=\"{reason}\"}} 1", await bridge.ReadMetricsAsync(),
            StringComparison.Ordinal);
        Assert.Single(bridge.Log.All, line => line.Contains("is a dead letter", StringComparison.Ordinal));
        await bridge.StopAsync();
    }

    [Fact]
    public async Task Events_of_other_realms_and_of_no_user_change_nothing_and_do_not_stay()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var keycloak = await EmulatorFixture.StartAsync();
        await using var bridge = await StartAsync(database, keycloak);
        await using (var connection = await rabbit.ConnectAsync())
        await using (var channel = await connection.CreateChannelAsync(cancellationToken: TestContext.Current.CancellationToken))
            await channel.QueueBindAsync(_queue, "amq.topic", "KK.EVENT.#", cancellationToken: TestContext.Current.CancellationToken);
        keycloak.Server.Realm(EmulatorFixture.Realm).AddUser(new EmulatedUser("ana", "ana"));

        await rabbit.PublishAsync(
            BrokerEvents.Client("other", "ana"), BrokerEvents.Client("demo", "a-client", "CLIENT_LOGIN"),
            BrokerEvents.Admin("demo", "ana/role-mappings/clients/c", "CREATE"));

        await Eventually.TrueAsync(
            async () => await bridge.ReadMetricsAsync() is var shown
                && shown.Contains("bridge_broker_foreign_total 1", StringComparison.Ordinal)
                && shown.Contains("bridge_broker_ignored_total{realm=\"demo\"} 1", StringComparison.Ordinal)
                && shown.Contains("bridge_broker_accepted_total{realm=\"demo\"} 1", StringComparison.Ordinal),
            "all are counted");
        await EmptyAsync(_queue);
        await bridge.StopAsync();
    }

    [Fact]
    public async Task A_realm_is_found_by_the_name_that_its_plugin_writes()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var keycloak = await EmulatorFixture.StartAsync();
        await using var bridge = await StartAsync(database, keycloak, ("Keycloak:Realms:0:BrokerName", "b7a0cd2a"));
        keycloak.Server.Realm(EmulatorFixture.Realm).AddUser(new EmulatedUser("ana", "ana"));

        await rabbit.PublishAsync(BrokerEvents.Client("b7a0cd2a", "ana"));

        await AccountsAsync(database, "ana");
        await bridge.StopAsync();
    }

    [Fact]
    public async Task With_queues_that_an_operator_made_the_right_to_read_is_enough()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var keycloak = await EmulatorFixture.StartAsync();
        keycloak.Server.Realm(EmulatorFixture.Realm).AddUser(new EmulatedUser("ana", "ana"));
        await rabbit.MakeQueuesAsync(_queue);
        (string, string?)[] asReader = [("Intake:Broker:UserName", "reader"), ("Intake:Broker:Declare", "false")];
        await using var bridge = await StartAsync(database, keycloak, asReader);

        await rabbit.PublishAsync(
            ("KK.EVENT.CLIENT.demo.SUCCESS.app.REGISTER", "no json"u8.ToArray()), BrokerEvents.Client("demo", "ana"));

        await AccountsAsync(database, "ana");
        await Eventually.TrueAsync(async () => await rabbit.WaitingAsync($"{_queue}.dead") == 1, "it is a dead letter");
        await Eventually.TrueAsync(
            async () => (await bridge.ReadMetricsAsync()).Contains("\nbridge_broker_waiting 0", StringComparison.Ordinal),
            "the queue is shown");
        await bridge.StopAsync();
    }

    [Fact]
    public async Task A_deleted_queue_is_made_again_and_events_go_on()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var keycloak = await EmulatorFixture.StartAsync();
        await using var bridge = await StartAsync(database, keycloak);
        keycloak.Server.Realm(EmulatorFixture.Realm).AddUser(new EmulatedUser("ana", "ana"));

        await rabbit.DeleteQueueAsync(_queue);
        await TakesAsync(bridge, times: 2);
        await rabbit.PublishAsync(BrokerEvents.Client("demo", "ana"));

        await AccountsAsync(database, "ana");
        await bridge.StopAsync();
    }

    [Fact]
    public async Task Killed_again_and_again_the_bridge_loses_no_event_and_grants_once()
    {
        const int Users = 400;
        await using var database = await postgres.CreateDatabaseAsync();
        await using var keycloak = await EmulatorFixture.StartAsync();
        var realm = keycloak.Server.Realm(EmulatorFixture.Realm);
        var ids = Enumerable.Range(0, Users).Select(number => $"u{number}").ToList();
        foreach (var id in ids)
            realm.AddUser(new EmulatedUser(id, id));
        var settings = BridgeFixture.Settings(database.ConnectionString, keycloak.Server.Url)
            .Concat(rabbit.Settings(_queue).Select(pair => KeyValuePair.Create(pair.Key, pair.Value)))
            .Append(new("Intake:Broker:Prefetch", "10"))
            .Where(setting => setting.Value is not null && setting.Key != "Urls")
            .ToDictionary(setting => setting.Key, setting => setting.Value!, StringComparer.Ordinal);
        await using (var first = BridgeProcess.Launch(Url(), settings))
        {
            // The bindings are made after the queue.
            await Eventually.TrueAsync(
                () => first.Log.Contains("Events are taken from the broker", StringComparison.Ordinal), "the queue is bound");
        }

        await rabbit.PublishAsync([.. ids.Select(id => BrokerEvents.Client("demo", id))]);

        for (var known = 0; known < Users;)
        {
            await using var bridge = BridgeProcess.Launch(Url(), settings);
            var before = known;
            await Eventually.TrueAsync(
                async () => (known = await CountAsync(database)) >= Math.Min(before + 100, Users), "some events are stored");
            await bridge.KillAsync();
        }

        await using var last = BridgeProcess.Launch(Url(), settings);
        await Eventually.TrueAsync(
            async () => await database.ScalarAsync<int>("select count(*)::int from user_credits") == Users, "each user has an account");
        await EmptyAsync(_queue);
        Assert.Equal(Users, await database.ScalarAsync<int>("select count(*)::int from credit_transactions"));
        Assert.Equal(0u, await rabbit.WaitingAsync($"{_queue}.dead"));
    }

    private static Uri Url() => new($"http://127.0.0.1:{FreePort.Next()}");

    // Hints that wait and users whose account is open.
    private static Task<int> CountAsync(TestDatabase database) => database.ScalarAsync<int>(
        "select count(*)::int from (select keycloak_id from user_hints union select keycloak_id from keycloak_users) known");

    private static Task AccountsAsync(TestDatabase database, string ids) => Eventually.TrueAsync(
        async () => await database.ScalarAsync<string>("select string_agg(user_id, ',' order by user_id) from user_credits") == ids,
        $"{ids} have accounts");

    private static Task TakesAsync(BridgeFixture bridge, int times) => Eventually.TrueAsync(
        () => bridge.Log.All.Count(line => line.Contains("Events are taken from the broker", StringComparison.Ordinal)) == times,
        "events are taken");

    private Task EmptyAsync(string queue) =>
        Eventually.TrueAsync(async () => await rabbit.WaitingAsync(queue) == 0, "the queue is empty");

    private async Task<BridgeFixture> StartAsync(
        TestDatabase database, EmulatorFixture keycloak, params (string Key, string? Value)[] more)
    {
        var bridge = await BridgeFixture.Build(database, keycloak, [.. rabbit.Settings(_queue), .. more]).StartAsync();
        await TakesAsync(bridge, times: 1);
        return bridge;
    }
}
