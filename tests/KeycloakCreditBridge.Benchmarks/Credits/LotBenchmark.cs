using System.Diagnostics;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Ledger;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Storage;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Benchmarks.Credits;

/// <summary>What ends cost: charges, the sweep, opening accounts, and the replay of a long ledger, each against its reference.</summary>
internal static class LotBenchmark
{
    private const int LongLedger = 100_000;

    private const string FillSql =
        """
        with accounts as (
            insert into user_credits (user_id, credits_remaining, credits_allocated, tier, created_at, updated_at, next_expiry)
            select 'user-' || n, 5, 5, 'trial', now() - interval '40 days', now() - interval '40 days',
                case when n % {every} = 0 then now() - interval '1 day' end
            from generate_series(1, {accounts}) n
            returning user_id, next_expiry),
        entries as (
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, grant_key, created_at)
            select user_id, 5, 5, 'purchase', '{"reason": "initial_allocation"}', 'signup', now() - interval '40 days' from accounts)
        insert into credit_grants (user_id, grant_key, amount, granted_at, expires_at)
        select user_id, 'signup', 5, now() - interval '40 days', next_expiry from accounts where next_expiry is not null
        """;

    private const string LongSql =
        """
        with account as (
            insert into user_credits (user_id, credits_remaining, created_at, updated_at)
            values ('long', 100000, now() - interval '400 days', now()))
        insert into credit_transactions (user_id, amount, transaction_type, metadata, created_at)
        select 'long', case when n = 0 then 200000 else -1 end, case when n = 0 then 'bonus' else 'usage' end,
            '{"record_id": "a record of a gateway", "cost_breakdown": {"tokens": 100}}', now() - interval '100001 s' + n * interval '1 s'
        from generate_series(0, {rows}) n
        """;

    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, bool quick)
    {
        var accounts = quick ? 4_000 : 40_000;
        List<Result> results = [];
        var bare = new Rates("charges");
        var ours = new Rates("charges");
        var due = new Rates("charges");
        for (var round = 0; round < 3; round++)
        {
            bare.Add(await ChargesAsync(server, accounts, every: 1_000_000_000, compares: false));
            ours.Add(await ChargesAsync(server, accounts, every: 1_000_000_000, compares: true));
            due.Add(await ChargesAsync(server, accounts, every: 1_000, compares: true));
        }

        results.Add(new Result(
            $"{accounts:N0} charges, nothing has an end", ours.ToString(), $"without the comparison: {bare}", ours.Best / bare.Best));
        results.Add(new Result(
            $"{accounts:N0} charges, one in 1,000 accounts has a due lot", due.ToString(), $"without the comparison: {bare}",
            due.Best / bare.Best));
        results.Add(await LotSweepBenchmark.RunAsync(server, quick ? 50_000 : 1_000_000, Fill));
        results.Add(await OpeningAsync(server, quick ? 20_000 : 100_000));
        results.Add(await ReplayAsync(server));
        return results;
    }

    private static string Fill(int accounts, int every) => FillSql
        .Replace("{accounts}", $"{accounts}", StringComparison.Ordinal).Replace("{every}", $"{every}", StringComparison.Ordinal);

    // Each account is charged once, so that each due lot is met.
    private static async Task<double> ChargesAsync(PrivatePostgres server, int accounts, int every, bool compares)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await database.ExecuteAsync(Fill(accounts, every));
        await database.ExecuteAsync("vacuum (analyze) user_credits, credit_transactions, credit_grants");
        var store = new CreditChangeStore(database.DataSource, database.NewEnds(), Options.Create(new ProvisioningOptions()));
        var sql = compares
            ? CreditChangeStore.ChangeSql
            : CreditChangeStore.ChangeSql.Replace($"and {GrantEnds.IsFree}", "", StringComparison.Ordinal);
        var started = Stopwatch.GetTimestamp();
        await Parallel.ForEachAsync(
            Enumerable.Range(1, accounts), new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (number, token) =>
            {
                var account = $"user-{number}";
                var change = new CreditChange(
                    new AccountSelector("demo", account, IsOwn: false, []), -1m, "usage", "{}", "caller", null, [])
                {
                    MayOverdraw = true,
                };
                while ((await database.DataSource.QueryPreparedAsync<CreditChangeResult>(
                    sql, store.Parameters(change, DateTimeOffset.UtcNow), token))[0] is { Answer: null, IsDue: true })
                    await store.SettleAsync(account, token);
            });
        var rate = accounts / Stopwatch.GetElapsedTime(started).TotalSeconds;
        return await database.ScalarAsync<long>("select count(*) from credit_transactions where transaction_type = 'usage'") == accounts
            ? rate
            : throw new InvalidOperationException("Not every account was charged.");
    }

    private static async Task<Result> OpeningAsync(PrivatePostgres server, int users)
    {
        var (with, without) = (new Rates("users"), new Rates("users"));
        for (var round = 0; round < 2; round++)
        {
            without.Add(await OpenAsync(new GrantsOptions()));
            with.Add(await OpenAsync(new GrantsOptions { Opening = { ExpiresAfter = TimeSpan.FromDays(30) } }));
        }

        return new Result(
            $"{users:N0} accounts opened with an end", with.ToString(), $"without an end: {without}", with.Best / without.Best);

        async Task<double> OpenAsync(GrantsOptions grants)
        {
            await using var database = await BenchmarkDatabase.CreateAsync(server);
            string[] ids = [.. Enumerable.Range(0, users).Select(_ => Guid.NewGuid().ToString())];
            var started = Stopwatch.GetTimestamp();
            await BulkBenchmark.ConvergeAsync(database, ids, grants);
            return users / Stopwatch.GetElapsedTime(started).TotalSeconds;
        }
    }

    private static async Task<Result> ReplayAsync(PrivatePostgres server)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        await database.ExecuteAsync(LongSql.Replace("{rows}", $"{LongLedger}", StringComparison.Ordinal));
        await database.ExecuteAsync("vacuum (analyze) credit_transactions");
        await using var connection = await database.DataSource.OpenConnectionAsync();
        var account = new LockedAccount("long", 100_000m, DateTimeOffset.UtcNow);
        var (first, lots) = await TimeAsync();
        await LotStore.SaveAsync(connection, "long", lots, CancellationToken.None);
        await TimeAsync();
        var (again, _) = await TimeAsync();
        return new Result(
            $"replay of {LongLedger:N0} rows with a checkpoint", $"{again:N1} ms", $"without: {first:N0} ms", first / again);

        async Task<(double Milliseconds, AccountLots Lots)> TimeAsync()
        {
            var started = Stopwatch.GetTimestamp();
            var loaded = await LotStore.LoadAsync(connection, [account], fromStart: false, CancellationToken.None);
            return (Stopwatch.GetElapsedTime(started).TotalMilliseconds, loaded["long"]);
        }
    }
}
