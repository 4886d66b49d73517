using KeycloakCreditBridge.Benchmarks.Arrivals;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Sandbox.Postgres;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace KeycloakCreditBridge.Benchmarks.Limits;

/// <summary>What bounds every figure of the other tables: the disk's commits, and WAL, processor time and rows that a user costs.</summary>
internal sealed class LimitsBenchmark(PrivatePostgres server, LargeRealmFixture realm, int users)
{
    private const int Warmup = HintBenchmark.Warmup;

    private static readonly ReconcileMode[] Modes = [
        ReconcileMode.Database, ReconcileMode.Windows, ReconcileMode.Counts, ReconcileMode.List];

    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, int users, TimeSpan duration)
    {
        await using var realm = await LargeRealmFixture.StartAsync(server, users + Warmup);
        var benchmark = new LimitsBenchmark(server, realm, users);
        return
        [
            .. await DiskBenchmark.RunAsync(server, duration),
            await benchmark.CopyAsync(),
            await benchmark.BatchesAsync(),
            await benchmark.SingleAsync(duration),
            await benchmark.PgbenchAsync(duration),
            await benchmark.HintsAsync(users, readsTables: true),
            await benchmark.HintsAsync(users / 4, readsTables: false),
            .. await benchmark.NothingMissingAsync(),
        ];
    }

    private async Task<Result> CopyAsync()
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        var wear = await ResourceUsage.OfAsync(database, () => BulkBenchmark.CopyAsync(database, [.. realm.Ids.Take(users)]));
        return Row("binary COPY of a user's four rows", wear, users, await RowCounts.OfAccountsAsync(database), users);
    }

    private async Task<Result> BatchesAsync()
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await BulkBenchmark.ConvergeAsync(database, [.. realm.Ids.Take(Warmup)]);
        var wear = await ResourceUsage.OfAsync(database, () => BulkBenchmark.ConvergeAsync(database, [.. realm.Ids.Skip(Warmup)]));
        return Row("a missing user converged, batches of 1,000", wear, users, await RowCounts.OfAccountsAsync(database), users + Warmup);
    }

    private async Task<Result> PgbenchAsync(TimeSpan duration)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        var processors = await ProcessorTime.OfServerAsync(database);
        var before = processors.Postgres;
        var rate = await SingleUserBenchmark.PgbenchAsync(server, duration);
        // Making the database is among it: some tenths of a second.
        var each = (processors.Postgres - before) / (rate * duration.TotalSeconds);
        return new Result(
            $"the same statement by pgbench, {SingleUserBenchmark.InFlight} clients",
            FormattableString.Invariant($"{each * 1e6:N0} µs of a core in PostgreSQL"),
            FormattableString.Invariant(
                $"{rate:N0} users/s measured; all cores are full at {Environment.ProcessorCount / each:N0}/s, pgbench itself not counted"));
    }

    private async Task<Result> SingleAsync(TimeSpan duration)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        var before = await SingleUserBenchmark.ConvergeAsync(database, TimeSpan.FromSeconds(1));
        var count = 0L;
        var wear = await ResourceUsage.OfAsync(database, async () => count = await SingleUserBenchmark.ConvergeAsync(database, duration));
        return Row(
            $"a missing user converged alone, {SingleUserBenchmark.InFlight} in flight", wear, count,
            await RowCounts.OfAccountsAsync(database), count + before);
    }

    private async Task<Result> HintsAsync(int many, bool readsTables)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        ResourceUsage wear;
        await using (var bridge = await HintBenchmark.StartAsync(realm, database, readsTables))
        {
            await HintBenchmark.SubmitAsync(bridge, database, [.. realm.Ids.Take(Warmup)]);
            wear = await ResourceUsage.OfAsync(
                database, () => HintBenchmark.SubmitAsync(bridge, database, [.. realm.Ids.Skip(Warmup).Take(many)]));
        }

        await AccountCheck.VerifyAsync(database, realm.Ids.Take(many + Warmup));
        var (accounts, hints) = (await RowCounts.OfAccountsAsync(database), await RowCounts.OfHintsAsync(database));
        var source = readsTables ? "Keycloak's tables" : "the emulator, which is in this process";
        return Row($"a hint stored and worked off, users from {source}", wear, many, accounts, many + Warmup,
            FormattableString.Invariant($"; of hints {PerUser(hints.Written)} written, {PerUser(hints.Dead)} dead"));

        string PerUser(long rows) => FormattableString.Invariant($"{(double)rows / (many + Warmup):0.00}");
    }

    // The first run of a mode finds users that the one before could not see: a client's own user is in no listing.
    private async Task<IReadOnlyList<Result>> NothingMissingAsync()
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await using var bridge = Program.Compose(
            [.. realm.Settings(database, readsTables: true).Select(setting => $"--{setting.Key}={setting.Value}")]).Build();
        List<Result> results = [];
        foreach (var mode in Modes)
        {
            await ReconcileAsync(bridge, mode);
            var before = await CountAsync(bridge, database);
            var wear = await ResourceUsage.OfAsync(database, () => ReconcileAsync(bridge, mode));
            var written = await CountAsync(bridge, database) - before;
            if (written.Written > 0)
                throw new InvalidOperationException($"{mode} writes {written} though nothing is missing.");
            results.Add(new Result(
                $"{realm.Ids.Count:N0} users reconciled by `{mode.ToString().ToLowerInvariant()}`, nothing missing",
                FormattableString.Invariant(
                    $"no row of accounts, ledger, audit and known users written, none dead; {wear.Wal:N0} bytes of WAL in all"),
                FormattableString.Invariant($"{wear.Postgres / realm.Ids.Count * 1e6:0.0} µs of a core a user in PostgreSQL, ") +
                FormattableString.Invariant($"{wear.Own / realm.Ids.Count * 1e6:0.0} µs in this process; {wear.Seconds:0.00} s")));
        }

        return results;
    }

    private static async Task<RowCounts> CountAsync(WebApplication bridge, BenchmarkDatabase database)
    {
        bridge.Services.GetRequiredService<NpgsqlDataSource>().Clear();
        return await RowCounts.OfAccountsAsync(database);
    }

    private static async Task ReconcileAsync(WebApplication bridge, ReconcileMode mode)
    {
        var outcome = await bridge.Services.GetRequiredService<Reconciler>().RunAsync(
            new RunRequest(LargeRealmFixture.Name, RunTriggers.Command, Mode: mode), new Progress<ReconcileProgress>(),
            CancellationToken.None);
        if (outcome.Status != ReconcileStatus.Done)
            throw new InvalidOperationException($"{mode}: {outcome.Reason}");
    }

    private static Result Row(string work, ResourceUsage wear, long users, RowCounts rows, long all, string more = "") => new(
        work,
        FormattableString.Invariant(
            $"{wear.Per(users)}; {(double)rows.Written / all:0.00} rows written, {(double)rows.Dead / all:0.00} dead{more}"),
        wear.Ceiling(users));
}
