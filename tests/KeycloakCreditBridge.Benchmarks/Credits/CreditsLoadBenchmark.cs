using System.Diagnostics;
using System.Globalization;
using System.Text;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Ledger;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Sandbox.Bridges;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Benchmarks.Credits;

/// <summary>The API under an even load that does not wait for its answers, beside a backfill; moves without HTTP; and the meter.</summary>
internal sealed class CreditsLoadBenchmark(HttpClient http, BenchmarkDatabase database, BridgeHost bridge, string gatewayKey)
{
    private const int PerSecond = 500;
    private const int Batch = 500;
    private const int BackfillBatch = 1_000;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(10);

    public async Task<Result> BesideBackfillAsync(int users)
    {
        using var done = new CancellationTokenSource();
        var backfill = Task.Run(() => BackfillAsync(users));
        _ = backfill.ContinueWith(_ => done.CancelAsync(), TaskScheduler.Default);
        var times = await EvenlyAsync(
            number => new HttpRequestMessage(HttpMethod.Get, Address($"api/v1/credits/balance?user_id=account-{number % 1_000}")),
            done.Token);
        var seconds = await backfill;
        return new Result(
            $"GET /balance of 1,000 accounts, {PerSecond}/s, beside a backfill", times.ToString(),
            string.Create(CultureInfo.InvariantCulture, $"{users:N0} users in {seconds:0.0} s at the same time; goal: p99 5 ms"));
    }

    public async Task<Result> GateAsync(TimeSpan duration)
    {
        using var done = new CancellationTokenSource(duration);
        var times = await EvenlyAsync(
            number => Reported(
                "beta/litellm_basic_guardrail_api",
                $$$"""
                {"input_type":"request","model":"m","texts":["Hi"],"request_data":{"user_api_key_user_id":"account-{{{number % 1_000}}}"}}
                """),
            done.Token);
        return new Result($"gate, {PerSecond}/s", times.ToString(), "goal: p99 10 ms");
    }

    public async Task<double> ChangesAsync(int inFlight, int accounts, TimeSpan duration)
    {
        var mover = bridge.Services.GetRequiredService<LedgerWriter>();
        var (count, next) = (0L, 0);
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, inFlight).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(started) < duration)
            {
                var reach = new AccountSelector("demo", $"account-{(uint)Interlocked.Increment(ref next) % accounts}", IsOwn: false, []);
                await mover.WriteAsync(
                    new CreditChange(reach, -0.000001m, "usage", "{}", "demo/bench", null, []) { Service = "bench", Cost = 0.000001m });
                Interlocked.Increment(ref count);
            }
        })));
        return count / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    public async Task<Result> MeterAsync(int batches)
    {
        var started = Stopwatch.GetTimestamp();
        await Parallel
            .ForEachAsync(Enumerable.Range(0, batches), new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (batch, token) =>
        {
            using var request = Reported("usage/litellm", Report(batch));
            using var answer = await http.SendAsync(request, token);
            answer.EnsureSuccessStatusCode();
        });
        var taken = Stopwatch.GetElapsedTime(started);
        while (await database.ScalarAsync<long>("select count(*) from usage_batches") > 0)
            await Task.Delay(Interval);
        var charged = Stopwatch.GetElapsedTime(started);
        var records = (double)batches * Batch;
        if (await database.ScalarAsync<long>("select count(*) from usage_records") != records)
            throw new InvalidOperationException("Not every record was charged.");
        return new Result(
            $"meter, batches of {Batch}",
            $"{records / charged.TotalSeconds:N0} records/s charged, {records / taken.TotalSeconds:N0}/s taken", "goal: 10,000/s");
    }

    private static Uri Address(string path) => new(path, UriKind.Relative);

    private HttpRequestMessage Reported(string path, string body)
    {
        var request = new HttpRequestMessage(
            HttpMethod.Post, Address(path)) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.Add("x-api-key", gatewayKey);
        return request;
    }

    // Calls of now, as gateways report them: a call from before the update to this program is looked up in the records of earlier ones.
    private static long Now => DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    private static string Report(int batch) => "[" + string.Join(',', Enumerable.Range(0, Batch).Select(number =>
        $$$"""
        {"id":"r-{{{batch}}}-{{{number}}}","litellm_call_id":"c-41","trace_id":"t-7","call_type":"acompletion","status":"success",
        "stream":true,"cache_hit":false,"response_cost":0.000001,"prompt_tokens":120,"completion_tokens":48,"total_tokens":168,
        "model":"gpt-4o-mini","model_group":"chat-small","custom_llm_provider":"openai","startTime":{{{Now - 2}}},"endTime":{{{Now}}},
        "end_user":"","metadata":{"user_api_key_user_id":"account-{{{number * 7 % 1_000}}}","user_api_key_hash":"a91c"}}
        """)) + "]";

    // Counted from when a request was due, so that a pause of the bridge is felt by all that it keeps waiting.
    private async Task<Latencies> EvenlyAsync(Func<int, HttpRequestMessage> next, CancellationToken stop)
    {
        var spread = new Latencies();
        List<Task<TimeSpan>> sent = [];
        var started = Stopwatch.GetTimestamp();
        for (var number = 0; !stop.IsCancellationRequested; number++)
        {
            var due = TimeSpan.FromSeconds((double)number / PerSecond);
            while (Stopwatch.GetElapsedTime(started) < due)
                await Task.Delay(TimeSpan.FromMilliseconds(1), CancellationToken.None);
            sent.Add(SendAsync(next(number), started, due));
        }

        foreach (var taken in await Task.WhenAll(sent))
            spread.Add(taken);
        return spread;
    }

    private async Task<TimeSpan> SendAsync(HttpRequestMessage request, long started, TimeSpan due)
    {
        using (request)
        using (var answer = await http.SendAsync(request))
        {
            answer.EnsureSuccessStatusCode();
            return Stopwatch.GetElapsedTime(started) - due;
        }
    }

    private async Task<double> BackfillAsync(int users)
    {
        var policy = new GrantPolicy(Options.Create(new ProvisioningOptions()));
        var provisioner = database.NewProvisioner();
        var now = TimeProvider.System.GetUtcNow();
        var started = Stopwatch.GetTimestamp();
        foreach (var chunk in Enumerable.Range(0, users).Chunk(BackfillBatch))
        {
            var subjects = chunk.Select(number => new Subject("demo", $"user-{number}", true, false, now));
            await provisioner.ConvergeAsync(
                subjects.Select(subject => policy.Evaluate(subject, now, HintSources.Reconciliation)), CancellationToken.None);
        }

        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}
