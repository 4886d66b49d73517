using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using KeycloakCreditBridge.Metering.Reports;
using KeycloakCreditBridge.Tests.Metering;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace KeycloakCreditBridge.Tests.Models;

/// <summary>
/// Gateways report calls, most of them more than once and some before their user has an account, two replicas charge them, and sessions
/// are cut. Whatever happens, each call is charged once, each bad record is kept, and no report is left.
/// </summary>
public sealed class MeterModelTests(PostgresFixture postgres)
{
    private const int Users = 6;
    private const int Calls = 40;
    private const int Threads = 4;

    private const string OpenSql =
        """
        insert into user_credits (user_id, credits_remaining, credits_allocated, tier, last_reset) values (@user, 5, 5, 'trial', now())
        on conflict do nothing
        """;

    private static readonly Gen<(int Kind, int[] Calls, bool Cut)[]> Steps = Gen.Select(
        Gen.Int[0, 19], Gen.Int[0, Calls - 1].Array[1, 6], Gen.Int[0, 3], (kind, calls, cut) => (kind, calls, cut == 0)).Array[60];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public Task Each_reported_call_is_charged_once_whatever_happens_at_once() =>
        Steps.SampleAsync(RunAsync, iter: Effort.Times(2), threads: 1);

    private async Task RunAsync((int Kind, int[] Calls, bool Cut)[] steps)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var keycloak = await EmulatorFixture.StartAsync();
        await using var cuts = new SessionCuts(database);
        var clock = new ManualTimeProvider(TimeProvider.System.GetUtcNow());
        await using var first = Build(database, keycloak, clock);
        await using var second = Build(database, keycloak, clock);
        UsageWorker[] workers = [WorkerOf(first), WorkerOf(second)];
        await Parallel.ForEachAsync(steps, new ParallelOptions { MaxDegreeOfParallelism = Threads }, async (step, _) =>
        {
            clock.Advance(TimeSpan.FromMinutes(1));
            await cuts.RepeatAsync(step.Cut, () => step.Kind switch
            {
                < 8 => ReportAsync(first, step.Calls, clock.GetUtcNow()),
                < 19 => workers[step.Kind % 2].WorkAsync(Token),
                _ => database.ExecuteAsync(OpenSql, new { user = UserOf(step.Calls[0]) }),
            });
        });
        await cuts.SettleAsync();
        await DrainAsync(database, workers, clock);
        await CheckAsync(database, [.. steps.Where(step => step.Kind < 8).SelectMany(step => step.Calls).Distinct().Order()]);
    }

    private static BridgeFixture Build(TestDatabase database, EmulatorFixture keycloak, ManualTimeProvider clock) => BridgeFixture.Build(
        BridgeFixture.Settings(database.ConnectionString, keycloak.Server.Url), clock, ("Metering:ApiKeys:0", MeteringFixture.Key));

    // Composed and not started: the test says which replica works when.
    private static UsageWorker WorkerOf(BridgeFixture bridge) =>
        bridge.Services.GetServices<IHostedService>().OfType<UsageWorker>().Single();

    private static string UserOf(int call) => string.Create(CultureInfo.InvariantCulture, $"user-{call % Users}");

    private static decimal CostOf(int call) => (call + 1) / 1000m;

    private static bool IsBad(int call) => call % 9 == 8;

    private static Task ReportAsync(BridgeFixture bridge, IEnumerable<int> calls, DateTimeOffset now)
    {
        var records = calls.Select(call =>
        {
            var record = MeteringFixture.Call($"r-{call:00}", $"c-{call}", UserOf(call), 1790000000m + call, CostOf(call));
            if (IsBad(call))
                record["response_cost"] = "much";
            return (JsonNode)record;
        });
        return bridge.Services.GetRequiredService<UsageReportStore>()
            .AddAsync(Encoding.UTF8.GetBytes(new JsonArray([.. records]).ToJsonString()), now, Token);
    }

    private static async Task DrainAsync(TestDatabase database, UsageWorker[] workers, ManualTimeProvider clock)
    {
        for (var user = 0; user < Users; user++)
            await database.ExecuteAsync(OpenSql, new { user = UserOf(user) });
        for (var left = 1L; left > 0; left = await database.ScalarAsync<long>("select count(*) from usage_batches"))
        {
            clock.Advance(TimeSpan.FromHours(1));
            while (await workers[0].WorkAsync(Token))
            {
            }
        }
    }

    private static async Task CheckAsync(TestDatabase database, int[] reported)
    {
        var good = reported.Where(call => !IsBad(call)).ToArray();
        Assert.Equal(
            good.Select(call => $"r-{call:00} of {UserOf(call)}: {CostOf(call):0.000}"),
            await database.QueryAsync<string>(
                """
                select metadata ->> 'record_id' || ' of ' || user_id || ': ' || (-amount)::numeric(9, 3) from credit_transactions
                where transaction_type = 'usage' order by 1
                """));
        Assert.Equal(
            reported.Where(IsBad).Select(call => $"r-{call:00}"),
            await database.QueryAsync<string>(
                "select distinct convert_from(record, 'UTF8')::jsonb ->> 'id' from usage_refusals order by 1"));
        Assert.Equal(
            Enumerable.Range(0, Users).Select(user => 5m - good.Where(call => call % Users == user).Sum(CostOf)),
            await database.QueryAsync<decimal>("select credits_remaining from user_credits order by user_id"));
    }
}
