using System.Diagnostics;
using System.Globalization;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Postgres;

namespace KeycloakCreditBridge.Benchmarks.Scale;

/// <summary>Each way of reading a large realm of a real Keycloak, against what the servers under it need for the same.</summary>
internal sealed class ScaleBenchmark(ScaleFixture fixture, int users, bool withWindows)
{
    private const int RemovedAccounts = 5;

    // What a merge in C costs: the ids of both sides, sorted by their bytes, compared by comm.
    private const string MergeCommand =
        """
        export LC_ALL=C
        source="select u.id from user_entity u join realm r on r.id = u.realm_id where r.name = 'demo' order by u.id collate \"C\""
        target="select keycloak_id from keycloak_users where realm = 'demo' order by keycloak_id"
        comm -3 <(psql -qXAt "$SOURCE" -c "copy ($source) to stdout") <(psql -qXAt "$TARGET" -c "copy ($target) to stdout") | wc -l
        """;

    private const string TruncateSql = "truncate user_credits, credit_transactions, audit_logs, keycloak_users, reconcile_runs cascade";

    private const string CopyOutCommand =
        """psql -qXAt "$SOURCE" -c "copy (select * from user_entity) to stdout (format binary)" > /dev/null""";

    /// <param name="server">Where everything is kept.</param>
    /// <param name="users">How many.</param>
    /// <param name="withWindows">Whether the whole realm is listed too, which takes Keycloak minutes, and then curl.</param>
    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, int users, bool withWindows)
    {
        await using var fixture = await ScaleFixture.StartAsync(server, users);
        if (fixture is not null)
            return await new ScaleBenchmark(fixture, users, withWindows).RunAsync(server);
        await Console.Error.WriteLineAsync("No real Keycloak 26.7: set KEYCLOAK_DISTRIBUTIONS. Reading a realm is not measured.");
        return [];
    }

    private async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server)
    {
        var copyIn = await Durations.OfAsync(() => BulkBenchmark.CopySecondsAsync(server, users));
        var copyOut = await Durations.OfAsync(() => ShellAsync(CopyOutCommand));
        var wal = 0L;
        var filled = await Durations.OfAsync(async () =>
        {
            await fixture.Database.ExecuteAsync(TruncateSql);
            var before = await WalAsync();
            var seconds = await TimeAsync(ReconcileMode.Database);
            wal = (await WalAsync() - before) / users;
            return seconds;
        });
        await fixture.Database.ExecuteAsync("vacuum analyze");

        var merge = await Durations.OfAsync(() => ShellAsync(MergeCommand));
        await TimeAsync(ReconcileMode.Database);
        var unchanged = await Durations.OfAsync(() => TimeAsync(ReconcileMode.Database));
        var memory = await PeakAsync("database");

        var count = await Durations.OfAsync(() => HttpAsync("users/count"));
        await TimeAsync(ReconcileMode.Counts);
        var same = await Durations.OfAsync(() => TimeAsync(ReconcileMode.Counts));
        var found = await Durations.OfAsync(async () =>
        {
            await RemoveAccountsAsync();
            return await TimeAsync(ReconcileMode.Counts);
        });

        List<Result> results =
        [
            Row(
                "missing users, `database`", filled,
                $"COPY out of user_entity, {copyOut}, and binary COPY into the four tables, {copyIn}", copyOut.Best + copyIn.Best,
                FormattableString.Invariant($", {wal:N0} bytes of WAL a user")),
            Row(
                "users, nothing missing, `database`", unchanged, $"COPY of both sides' ids and comm: {merge}", merge.Best,
                $", peak memory {memory} MB"),
            Row("users, nothing missing, `counts`", same, $"one users/count: {count}", count.Best),
        ];
        if (!withWindows)
            return [.. results, new Result($"{users:N0} users, {RemovedAccounts} missing, `counts`", $"{found}")];
        var curl = await Durations.OfAsync(CurlAsync);
        var windows = await Durations.OfAsync(() => TimeAsync(ReconcileMode.Windows));
        var core = _cpu.TotalSeconds / _elapsed.TotalSeconds;
        return
        [
            .. results,
            Row($"users, {RemovedAccounts} missing, `counts`", found, $"listing all windows: {windows}", windows.Best),
            Row("users, nothing missing, `windows`", windows, $"the same windows by curl, one after the other: {curl}", curl.Best,
                FormattableString.Invariant($", {core:P0} of a core")),
        ];
    }

    private TimeSpan _cpu;
    private TimeSpan _elapsed;

    private Result Row(string what, Durations ours, string reference, double theirs, string more = "") => new(
        $"{users:N0} {what}", FormattableString.Invariant($"{ours}, {users / ours.Best:N0} users/s{more}"), reference, theirs / ours.Best);

    private async Task<double> TimeAsync(ReconcileMode mode)
    {
        await fixture.Database.ExecuteAsync("checkpoint");
        var (before, started) = (Environment.CpuUsage.TotalTime, Stopwatch.GetTimestamp());
        var outcome = await fixture.RunAsync(mode);
        (_cpu, _elapsed) = (Environment.CpuUsage.TotalTime - before, Stopwatch.GetElapsedTime(started));
        await Console.Error.WriteLineAsync($"{mode}: {outcome.Counts} in {outcome.Elapsed}.");
        return _elapsed.TotalSeconds;
    }

    private Task<long> WalAsync() => fixture.Database.ScalarAsync<long>("select (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint");

    private Task RemoveAccountsAsync() => fixture.Database.ExecuteAsync(
        $"""
        create temp table forgotten as select keycloak_id from keycloak_users where user_state = 'account'
            order by keycloak_id limit {RemovedAccounts};
        delete from keycloak_users where keycloak_id in (select keycloak_id from forgotten);
        delete from credit_transactions where user_id in (select keycloak_id from forgotten);
        delete from user_credits where user_id in (select keycloak_id from forgotten);
        drop table forgotten;
        """);

    private async Task<double> HttpAsync(string path)
    {
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization = new("Bearer", await fixture.TokenAsync());
        var best = double.MaxValue;
        for (var time = 0; time < 5; time++)
        {
            var started = Stopwatch.GetTimestamp();
            _ = await http.GetByteArrayAsync(new Uri(fixture.Url, $"admin/realms/{ScaleFixture.Realm}/{path}"));
            best = Math.Min(best, Stopwatch.GetElapsedTime(started).TotalSeconds);
        }

        return best;
    }

    // Windows of 2,000 users, as they were written: one every so many milliseconds.
    private async Task<double> CurlAsync()
    {
        const int Size = 2_000;
        var step = 94_608_000_000 / users * Size;
        var listing = $"{fixture.Url}admin/realms/{ScaleFixture.Realm}/users?briefRepresentation=true&first=0&max=2100";
        var urls = Enumerable.Range(0, (users + Size - 1) / Size).Select(window => 1_700_000_000_001 + (window * step)).Select(from =>
            string.Create(CultureInfo.InvariantCulture, $"{listing}&createdAfter={from}&createdBefore={from + step - 1}"));
        var total = 0.0;
        // A token lasts five minutes.
        foreach (var some in urls.Chunk(200))
        {
            var config = string.Concat(some.Select(url => $"url = \"{url}\"\noutput = /dev/null\n"));
            total += await ShellAsync($"curl -s -f -H \"Authorization: Bearer {await fixture.TokenAsync()}\" -K -", config);
        }

        return total;
    }

    private async Task<double> ShellAsync(string command, string input = "")
    {
        var start = new ProcessStartInfo(
            "bash", ["-c", $"set -o pipefail\n{command}"]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        start.Environment["SOURCE"] = Uri(fixture.Source.ConnectionString);
        start.Environment["TARGET"] = Uri(fixture.Database.ConnectionString);
        var started = Stopwatch.GetTimestamp();
        using var process = Process.Start(start)!;
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        _ = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0
            ? Stopwatch.GetElapsedTime(started).TotalSeconds
            : throw new InvalidOperationException($"{command} ended with {process.ExitCode}.");
    }

    private static string Uri(string connectionString)
    {
        var address = new Npgsql.NpgsqlConnectionStringBuilder(connectionString);
        return $"postgresql://{address.Username}:{address.Password}@{address.Host}:{address.Port}/{address.Database}";
    }

    // The command in a process of its own, as an operator runs it.
    private async Task<long> PeakAsync(string mode)
    {
        var start = new ProcessStartInfo(
            "dotnet", [Path.Combine(AppContext.BaseDirectory, "KeycloakCreditBridge.dll"), "reconcile", "--mode", mode, "--json"])
        {
            RedirectStandardOutput = true,
        };
        foreach (var (key, value) in fixture.Settings)
            start.Environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        using var process = Process.Start(start)!;
        long peak = 0;
        while (!process.HasExited)
        {
            process.Refresh();
            peak = Math.Max(peak, process.HasExited ? 0 : process.PeakWorkingSet64);
            await Task.Delay(50);
        }

        return process.ExitCode == 0 ? peak / 1024 / 1024 : throw new InvalidOperationException("reconcile failed.");
    }
}
