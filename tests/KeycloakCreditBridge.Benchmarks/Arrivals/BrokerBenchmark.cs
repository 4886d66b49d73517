using System.Diagnostics;
using System.Text;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Brokers;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Benchmarks.Arrivals;

/// <summary>
/// Many events by RabbitMQ for unknown users, over two replicas in processes of their own: until every user has an account. The reference
/// is the same by webhooks. Publisher, broker, replicas, Keycloak's emulator and PostgreSQL share the machine.
/// </summary>
internal static class BrokerBenchmark
{
    private const string Queue = "credit-bridge.events";
    private const int Warmup = 1_000;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(5);

    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, int users)
    {
        if (!RabbitServer.IsInstalled)
        {
            await Console.Error.WriteLineAsync("No RabbitMQ: install rabbitmq-server.");
            return [];
        }

        var webhooks = await BurstBenchmark.CommittedAsync(server, users);
        await using var rabbit = await RabbitServer.StartAsync(CancellationToken.None);
        var calm = await MeasureAsync(server, rabbit, users, kills: 0);
        var killed = await MeasureAsync(server, rabbit, users, kills: 2);
        var reference = FormattableString.Invariant($"as many webhooks: {users / webhooks:N0} accounts/s");
        return [Row("", calm), Row(", a replica killed twice", killed)];

        Result Row(string how, double seconds) => new(
            $"{users:N0} events by RabbitMQ, 2 replicas, users read from Keycloak's tables{how}",
            FormattableString.Invariant($"last account after {seconds:0.00} s, {users / seconds:N0} accounts/s; no event left"), reference,
            webhooks / seconds);
    }

    private static async Task<double> MeasureAsync(PrivatePostgres server, RabbitServer rabbit, int users, int kills)
    {
        await using var realm = await LargeRealmFixture.StartAsync(server, users + Warmup);
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        var settings = realm.Settings(database, readsTables: true)
            .Concat(rabbit.Settings(Queue).Select(setting => KeyValuePair.Create(setting.Key, setting.Value)))
            .ToDictionary(setting => setting.Key, setting => setting.Value!, StringComparer.Ordinal);
        await using var first = await BridgeProcess.StartAsync(NewUrl(), settings);
        var second = await BridgeProcess.StartAsync(NewUrl(), settings);
        try
        {
            while (await rabbit.WaitingAsync(Queue, CancellationToken.None) is null)
                await Task.Delay(Interval);
            await rabbit.PublishAsync([.. realm.Ids.Take(Warmup).Select(EventOf)], CancellationToken.None);
            await OpenedAsync(database, Warmup);
            (string, byte[])[] events = [.. realm.Ids.Skip(Warmup).Select(EventOf)];
            var started = Stopwatch.GetTimestamp();
            var publishing = rabbit.PublishAsync(events, CancellationToken.None);
            for (var kill = 1; kill <= kills; kill++)
            {
                await OpenedAsync(database, Warmup + (users * kill / (kills + 1)));
                await second.KillAsync();
                await second.DisposeAsync();
                second = BridgeProcess.Launch(NewUrl(), settings);
            }

            await publishing;
            await OpenedAsync(database, Warmup + users);
            var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            await AccountCheck.DrainedAsync(database);
            await AccountCheck.VerifyAsync(database, realm.Ids);
            if (await rabbit.WaitingAsync(Queue, CancellationToken.None) is not 0)
                throw new InvalidOperationException("Events are left in the queue.");
            return seconds;
        }
        finally
        {
            await second.DisposeAsync();
        }
    }

    private static async Task OpenedAsync(BenchmarkDatabase database, int accounts)
    {
        var started = Stopwatch.GetTimestamp();
        while (await database.ScalarAsync<long>("select count(*) from user_credits") is var opened && opened < accounts)
        {
            if (Stopwatch.GetElapsedTime(started) > Timeout)
                throw new TimeoutException($"{opened} of {accounts} accounts are open.");
            await Task.Delay(Interval);
        }
    }

    private static (string Key, byte[] Body) EventOf(string user) => (
        $"KK.EVENT.CLIENT.{LargeRealmFixture.Name}.SUCCESS.app.REGISTER",
        Encoding.UTF8.GetBytes(
            $$"""{"@class":"x","time":1,"type":"REGISTER","realmId":"r","clientId":"app","details":{},"userId":"{{user}}"}"""));

    private static Uri NewUrl() => new($"http://127.0.0.1:{FreePort.Next()}/");
}
