using System.Diagnostics;
using KeycloakCreditBridge.Benchmarks.Measurement;
using Npgsql;

namespace KeycloakCreditBridge.Benchmarks.Arrivals;

/// <summary>A rate counts only when everybody has one account, granted once, and nothing is left to do.</summary>
internal static class AccountCheck
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(10);

    private const string WaitingSql = "select exists (select from user_hints)";
    private const string BacklogSql = "select count(*) from user_hints";

    private const string FaultsSql =
        """
        select concat_ws(', ',
            (select nullif(count(*), 0) || ' users without account' from unnest($1::text[]) u (id)
                where not exists (select from user_credits c where c.user_id = u.id)),
            (select nullif(count(*), 0) || ' users not on record' from unnest($1::text[]) u (id)
                where not exists (select from keycloak_users k where k.realm = 'demo' and k.keycloak_id = u.id and k.user_state = 'account')),
            (select case when count(*) <> cardinality($1::text[]) then count(*) || ' accounts of ' || cardinality($1::text[]) end from user_credits),
            (select case when count(*) <> cardinality($1::text[]) then count(*) || ' ledger rows of ' || cardinality($1::text[]) end from credit_transactions),
            (select case when count(*) <> cardinality($1::text[]) then count(*) || ' audit rows of ' || cardinality($1::text[]) end from audit_logs where action = 'credit.create'),
            (select nullif(count(*), 0) || ' accounts whose balance is not their ledger''s sum' from user_credits c
                where c.credits_remaining is distinct from (select sum(t.amount) from credit_transactions t where t.user_id = c.user_id)),
            (select nullif(count(*), 0) || ' hints left' from user_hints))
        """;

    /// <summary>
    /// Returns when no hint waits, or nothing has happened for a while. A hint is settled with its account, so the last account is committed then.
    /// </summary>
    public static async Task DrainedAsync(BenchmarkDatabase database)
    {
        await using var connection = await database.DataSource.OpenConnectionAsync();
        await using var look = new NpgsqlCommand(WaitingSql, connection);
        await look.PrepareAsync();
        var (since, backlog) = (Stopwatch.GetTimestamp(), long.MaxValue);
        while ((bool)(await look.ExecuteScalarAsync())!)
        {
            await Task.Delay(Interval);
            // Counting costs more than looking for one.
            if (Stopwatch.GetElapsedTime(since) < Patience)
                continue;
            var left = await database.ScalarAsync<long>(BacklogSql);
            if (left >= backlog)
                return;
            (since, backlog) = (Stopwatch.GetTimestamp(), left);
        }
    }

    /// <summary>Throws unless exactly these users have accounts, all of them as they should be.</summary>
    public static async Task VerifyAsync(BenchmarkDatabase database, IEnumerable<string> users)
    {
        await using var connection = await database.DataSource.OpenConnectionAsync();
        await using var look = new NpgsqlCommand(FaultsSql, connection) { Parameters = { new() { Value = users.ToArray() } } };
        if ((string)(await look.ExecuteScalarAsync())! is { Length: > 0 } faults)
            throw new InvalidOperationException($"Not everybody has an account as it should be: {faults}.");
    }
}
