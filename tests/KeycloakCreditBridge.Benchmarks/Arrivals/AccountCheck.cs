using System.Diagnostics;
using KeycloakCreditBridge.Benchmarks.Measurement;
using Npgsql;

namespace KeycloakCreditBridge.Benchmarks.Arrivals;

/// <summary>A rate counts only when every user has one account, granted once, and no hint is left.</summary>
internal static class AccountCheck
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(10);

    private const string WaitingSql = "select exists (select from user_hints)";
    private const string BacklogSql = "select count(*) from user_hints";

    private const string FaultsSql =
        """
        select concat_ws(', ',
            (select nullif(count(*), 0) || ' users without account' from unnest($1::text[]) u (id)
                where not exists (select from user_credits c where c.user_id = u.id)),
            (select nullif(count(*), 0) || ' users not on record' from unnest($1::text[]) u (id)
                where not exists (select from keycloak_users k where k.realm = 'demo' and k.keycloak_id = u.id
                    and k.user_state = 'account')),
            (select case when count(*) <> cardinality($1::text[]) then count(*) || ' accounts of ' || cardinality($1::text[]) end
                from user_credits),
            (select case when count(*) <> cardinality($1::text[]) then count(*) || ' ledger rows of ' || cardinality($1::text[]) end
                from credit_transactions),
            (select case when count(*) <> cardinality($1::text[]) then count(*) || ' audit rows of ' || cardinality($1::text[]) end
                from audit_logs where action = 'credit.create'),
            (select nullif(count(*), 0) || ' accounts whose balance is not their ledger''s sum' from user_credits c
                where c.credits_remaining is distinct from (select sum(t.amount) from credit_transactions t where t.user_id = c.user_id)),
            (select nullif(count(*), 0) || ' hints left' from user_hints))
        """;

    /// <summary>
    /// Returns when no hint waits, or nothing has happened for a while. A hint completes with its account, so the last account is committed
    /// then.
    /// </summary>
    public static async Task DrainedAsync(BenchmarkDatabase database)
    {
        await using var connection = await database.DataSource.OpenConnectionAsync();
        await using var waiting = new NpgsqlCommand(WaitingSql, connection);
        await waiting.PrepareAsync();
        var (since, backlog) = (Stopwatch.GetTimestamp(), long.MaxValue);
        while ((bool)(await waiting.ExecuteScalarAsync())!)
        {
            await Task.Delay(Interval);
            // Counting costs more than finding one.
            if (Stopwatch.GetElapsedTime(since) < Timeout)
                continue;
            var left = await database.ScalarAsync<long>(BacklogSql);
            if (left >= backlog)
                return;
            (since, backlog) = (Stopwatch.GetTimestamp(), left);
        }
    }

    /// <summary>Throws unless exactly these users have correct accounts.</summary>
    public static async Task VerifyAsync(BenchmarkDatabase database, IEnumerable<string> users)
    {
        await using var connection = await database.DataSource.OpenConnectionAsync();
        await using var check = new NpgsqlCommand(FaultsSql, connection) { Parameters = { new() { Value = users.ToArray() } } };
        if ((string)(await check.ExecuteScalarAsync())! is { Length: > 0 } faults)
            throw new InvalidOperationException($"Not every user has the right account: {faults}.");
    }
}
