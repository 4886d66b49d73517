using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using System.Security.Cryptography;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Review;
using KeycloakCreditBridge.Grants.Review.Signals;
using KeycloakCreditBridge.Grants.Review.Signals.Addresses;
using KeycloakCreditBridge.Grants.Review.Signals.Domains;
using KeycloakCreditBridge.Grants.Review.Signals.Hashes;
using KeycloakCreditBridge.Grants.Review.Signals.Origins;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Sandbox.Postgres;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Benchmarks.Credits;

/// <summary>
/// Accounts opened in bulk whose users are kept and assessed, against the same without; and look-ups of disposable domains.
/// </summary>
internal static class SignalBenchmark
{
    private const int Batch = 1_000;

    private static readonly string Key = new('k', 32);

    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, int users, int rounds)
    {
        var (with, without, compared, neither) = (new Rates("users"), new Rates("users"), new Rates("users"), new Rates("users"));
        Dictionary<Rates, string> last = [];
        _ = await TimeAsync(server, Reviewed(), users / 4, asks: true);
        for (var round = 0; round < rounds; round++)
        {
            await AddAsync(without, Reviewed(), asks: false);
            await AddAsync(with, Reviewed(), asks: true);
            await AddAsync(neither, new GrantsOptions { Fraud = { Key = Key } }, asks: false);
            var both = GrantBenchmark.Compared();
            (both.Fraud.Enabled, both.Fraud.Key) = (true, Key);
            await AddAsync(compared, both, asks: true);
        }

        return [
            new Result(
                $"{users:N0} users opened with all signals asked", Said(with), $"without signals: {Said(without)}",
                with.Best / without.Best),
            new Result(
                $"{users:N0} users opened with all signals asked, by an arm of an experiment", Said(compared),
                $"without both: {Said(neither)}", compared.Best / neither.Best),
            Lookups(),
        ];

        async Task AddAsync(Rates rates, GrantsOptions grants, bool asks)
        {
            (var rate, last[rates]) = await TimeAsync(server, grants, users, asks);
            rates.Add(rate);
        }

        string Said(Rates rates) => $"{rates}, {last[rates]}";

        static GrantsOptions Reviewed() => new() { Fraud = { Enabled = true, Key = Key } };
    }

    private static async Task<(double Rate, string Spent)> TimeAsync(PrivatePostgres server, GrantsOptions grants, int users, bool asks)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        var processor = await ProcessorTime.OfServerAsync(database);
        using var meter = new Meter("benchmark");
        var policy = new GrantPolicy(Options.Create(new ProvisioningOptions()), grants: Options.Create(grants));
        var provisioner = database.NewProvisioner(grants, asksPlan: true);
        var rules = Hot.Of(new FraudRules(Options.Create(grants)));
        var hasher = new SignalHasher(Options.Create(grants));
        var store = new RegistrationStore(database.DataSource);
        var origins = new OriginStore(database.DataSource, hasher);
        var assessor = new Assessor(
            store, new CommonDomains(store, hasher, TimeProvider.System),
            new DisposableDomains(Hot.Of(grants), TimeProvider.System, NullLogger<DisposableDomains>.Instance), origins: null!, hasher,
            rules, new SignalMetrics(meter, rules), TimeProvider.System, NullLogger<Assessor>.Instance);
        string[] ids = [.. Enumerable.Range(0, users).Select(_ => Guid.NewGuid().ToString())];
        var now = TimeProvider.System.GetUtcNow();
        var (before, started) = (Spent.Now(processor), Stopwatch.GetTimestamp());
        await Parallel.ForEachAsync(ids.Chunk(Batch), new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (chunk, token) =>
        {
            if (asks)
            {
                // As the poller keeps them, page by page.
                await origins.RecordAsync("demo", [.. chunk.Select(id => new Origin(id, now, Address(), null))], token);
                await assessor.AssessAsync(
                    [.. chunk.Select(id => new Candidate("demo", id, id, Email(id), true, now, [], [], Invited: false))], token);
            }

            await provisioner.ConvergeAsync(
                chunk.Select(id => policy.Evaluate(
                    new Subject("demo", id, true, false, now) { Email = Email(id), EmailVerified = true }, now,
                    HintSources.Reconciliation)),
                token);
        });
        var rate = users / Stopwatch.GetElapsedTime(started).TotalSeconds;
        var spent = Spent.Now(processor).For(users, before);
        var kept = await database.ScalarAsync<long>("select count(*) from fraud_registrations r join fraud_origins o using (keycloak_id)");
        return kept == (asks ? users : 0)
            ? (rate, spent)
            : throw new InvalidOperationException($"{kept} users were kept instead of {users}.");
    }

    private static string Email(string id) => $"{id}@{id[..2]}.example.com";

    private static IPAddress Address() => new(RandomNumberGenerator.GetBytes(16));

    // The reference cuts each domain out as a text of its own.
    private static Result Lookups()
    {
        const int Most = 2_000_000;
        string[] domains = [.. Enumerable.Range(0, 9_000).Select(number => $"disposable{number}.example")];
        var list = DomainList.Parse(string.Join('\n', domains));
        HashSet<string> set = new(domains, StringComparer.OrdinalIgnoreCase);
        string[] asked = [
            .. Enumerable.Range(0, 1_000).Select(
                number => number % 2 == 0 ? $"Ana.{number}@mx.disposable{number}.example" : $"ana{number}@gmail.com")];
        var (ours, bytes) = Measure(list.Has);
        var (reference, others) = Measure(address =>
        {
            var rest = address.ToString().Split('@')[^1];
            while (!set.Contains(rest))
            {
                if (rest.Split('.', 2) is not [_, var above])
                    return false;
                rest = above;
            }

            return true;
        });
        return new(
            "a look-up of a disposable domain among 9,000", FormattableString.Invariant($"{ours:0} ns, {bytes:0.##} bytes allocated"),
            FormattableString.Invariant($"texts in a HashSet: {reference:0} ns, {others:0.##} bytes"), reference / ours);

        (double Nanoseconds, double Bytes) Measure(Lookup has)
        {
            var found = 0;
            for (var round = 0; round < Most / 10; round++)
                found += has(asked[round % asked.Length]) ? 1 : 0;
            var before = GC.GetAllocatedBytesForCurrentThread();
            var started = Stopwatch.GetTimestamp();
            for (var round = 0; round < Most; round++)
                found += has(asked[round % asked.Length]) ? 1 : 0;
            var time = Stopwatch.GetElapsedTime(started);
            return found == Most / 2 + (Most / 20)
                ? (time.TotalNanoseconds / Most, (GC.GetAllocatedBytesForCurrentThread() - before) / (double)Most)
                : throw new InvalidOperationException($"{found} domains were found.");
        }
    }

    private delegate bool Lookup(ReadOnlySpan<char> address);
}
