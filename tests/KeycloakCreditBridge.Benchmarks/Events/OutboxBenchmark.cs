using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Benchmarks.Credits;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Credits.Ledger;
using KeycloakCreditBridge.Outbox;
using KeycloakCreditBridge.Outbox.Endpoints;
using KeycloakCreditBridge.Outbox.Reading;
using KeycloakCreditBridge.Outbox.Recording;
using KeycloakCreditBridge.Outbox.Sending;
using KeycloakCreditBridge.Sandbox.Postgres;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Benchmarks.Events;

/// <summary>
/// What a deduct costs while events are on, by turns with the same while they are off, and how many events a second a sink on the same
/// machine gets, beside the same requests of a bare client.
/// </summary>
internal static class OutboxBenchmark
{
    private const int Clients = 4;

    private const int Lanes = 16;

    private static readonly string Secret = $"whsec_{Convert.ToBase64String(new byte[32])}";

    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, TimeSpan duration, int turns, int events)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        return [.. await MeasureDeductsAsync(database, duration, turns), .. await MeasureSendingAsync(database, events)];
    }

    private static async Task<IReadOnlyList<Result>> MeasureDeductsAsync(BenchmarkDatabase database, TimeSpan duration, int turns)
    {
        await CreditsBenchmark.FillAsync(database);
        var processors = await ProcessorTime.OfServerAsync(database);
        var script = CreditsBenchmark.ScriptOf(CreditsBenchmark.StatementOf(typeof(CreditChangeStore), "ChangeSql"));
        var events = new EventSwitchStore(database.DataSource);
        List<double> on = [], off = [], fastOn = [], fastOff = [];
        for (var turn = 0; turn < 2 * turns; turn++)
        {
            var isOn = turn % 4 is 0 or 3;
            await events.SwitchAsync(isOn ? new Dictionary<string, decimal> { ["trial"] = 2m } : null, CancellationToken.None);
            var before = processors.Postgres;
            var rate = await Pgbench.RunAsync(database, script, Clients, duration);
            await ProcessorTime.SettleAsync(database);
            (isOn ? on : off).Add((processors.Postgres - before) / (rate * duration.TotalSeconds) * 1e6);
            (isOn ? fastOn : fastOff).Add(rate);
        }

        var (ours, reference) = (new Turns(on), new Turns(off));
        var (rateOn, rateOff) = (new Turns(fastOn), new Turns(fastOff));
        return
        [
            new Result(
                "a deduct while events are on, processor time of PostgreSQL", ours.Text("µs"), $"off: {reference.Text("µs")}",
                reference.Median / ours.Median),
            new Result(
                "deducts a second while events are on", rateOn.Text("/s"), $"off: {rateOff.Text("/s")}", rateOn.Median / rateOff.Median),
        ];
    }

    private static async Task<IReadOnlyList<Result>> MeasureSendingAsync(BenchmarkDatabase database, int events)
    {
        await database.ExecuteAsync(
            $$"""
            truncate outbox cascade;
            insert into outbox (account_id, type, data)
            select 'account-' || n % 5000, 'credits.granted', '{"grant": "signup", "amount": "5.000000", "balance": "5.000000"}'
            from generate_series(1, {{events}}) n
            """);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        await using var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.Run(async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            context.Response.StatusCode = StatusCodes.Status204NoContent;
        });
        await app.StartAsync();
        List<Result> results = [];
        foreach (var batch in (int[])[1, 100])
        {
            var options = new EndpointOptions
            {
                Url = app.Urls.Single(), Secret = Secret, AllowHttp = true, AllowPrivate = true, Batch = batch, Concurrency = Lanes,
            };
            using var client = new EndpointClient(options, EndpointConnection.Of(options), "/credit-bridge", TimeProvider.System);
            var bare = events / await Turns.SecondsAsync(() => BareAsync(client, events / batch, batch));
            var sent = events / await Turns.SecondsAsync(() => SendAsync(database, options, client, $"sink-{batch}", events));
            results.Add(new Result(
                $"{events} events sent to a sink on this machine, {batch} a request", FormattableString.Invariant($"{sent:0} events/s"),
                FormattableString.Invariant($"the same requests without the outbox: {bare:0} events/s"), sent / bare));
        }

        return results;
    }

    private static Task BareAsync(EndpointClient client, int requests, int batch)
    {
        OutboxEvent[] events =
        [
            .. Enumerable.Range(1, batch).Select(seq => new OutboxEvent(
                seq, Guid.NewGuid(), "account-1", "credits.granted", """{"grant": "signup", "amount": "5.000000", "balance": "5.000000"}""",
                DateTimeOffset.UnixEpoch)),
        ];
        return Parallel.ForAsync(
            0, requests, new ParallelOptions { MaxDegreeOfParallelism = Lanes },
            async (_, cancellationToken) => await client.SendAsync(events, cancellationToken));
    }

    private static async Task SendAsync(BenchmarkDatabase database, EndpointOptions options, EndpointClient client, string name, int events)
    {
        await database.ExecuteAsync($"insert into outbox_endpoints (name, position) select '{name}', min(seq) - 1 from outbox");
        var store = new EndpointStore(database.DataSource);
        var sender = new EndpointSender(
            name, options, client, store, new OutboxTip(new OutboxStore(database.DataSource)),
            new OutboxMetrics(new Meter("benchmarks"), Options.Create(new OutboxOptions())), TimeProvider.System, NullLogger.Instance);
        while (await sender.RunAsync(CancellationToken.None) is not null)
        {
        }

        var left = await database.ScalarAsync<long>(
            $"select count(*) from outbox o, outbox_endpoints e where e.name = '{name}' and o.seq > e.position");
        if (left > 0)
            throw new InvalidOperationException($"{left} of {events} events were not sent.");
    }
}
