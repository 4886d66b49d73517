using System.Diagnostics;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Sandbox.Postgres;
using Microsoft.Extensions.Options;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Benchmarks;

/// <summary>
/// Missing users converged in batches, against a raw binary COPY of the same rows into the same tables with their indexes.
/// </summary>
internal static class BulkBenchmark
{
    private const int Batch = 1_000;

    public static async Task<Result> RunAsync(PrivatePostgres server, int users, int rounds)
    {
        var (ours, copies) = (new Rates("users"), new Rates("users"));
        for (var round = 0; round < rounds; round++)
        {
            string[] ids = [.. Enumerable.Range(0, users).Select(_ => Guid.NewGuid().ToString())];
            copies.Add(await TimeAsync(server, database => CopyAsync(database, ids), users));
            ours.Add(await TimeAsync(server, database => ConvergeAsync(database, ids), users));
        }

        return new Result(
            $"{users:N0} missing users converged, batches of {Batch:N0}, 2 at once",
            ours.ToString(),
            $"binary COPY of the same rows, one table after another: {copies}",
            ours.Best / copies.Best);
    }

    /// <summary>How long the reference takes.</summary>
    public static async Task<double> CopySecondsAsync(PrivatePostgres server, int users)
    {
        string[] ids = [.. Enumerable.Range(0, users).Select(_ => Guid.NewGuid().ToString())];
        return users / await TimeAsync(server, database => CopyAsync(database, ids), users);
    }

    private static async Task<double> TimeAsync(PrivatePostgres server, Func<BenchmarkDatabase, Task> work, int users)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        var started = Stopwatch.GetTimestamp();
        await work(database);
        var rate = users / Stopwatch.GetElapsedTime(started).TotalSeconds;
        foreach (var table in new[] { "user_credits", "credit_transactions", "audit_logs", "keycloak_users" })
        {
            if (await database.ScalarAsync<long>($"select count(*) from {table}") != users)
                throw new InvalidOperationException($"{table} does not have {users} rows.");
        }

        return rate;
    }

    public static async Task ConvergeAsync(BenchmarkDatabase database, string[] ids, GrantsOptions? grants = null)
    {
        var policy = new GrantPolicy(Options.Create(new ProvisioningOptions()));
        var provisioner = database.NewProvisioner(grants);
        var now = TimeProvider.System.GetUtcNow();
        await Parallel.ForEachAsync(ids.Chunk(Batch), new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (chunk, token) =>
            await provisioner.ConvergeAsync(
                chunk.Select(id => policy.Evaluate(new Subject("demo", id, true, false, now), now, HintSources.Reconciliation)), token));
    }

    public static async Task CopyAsync(BenchmarkDatabase database, string[] ids)
    {
        var now = DateTime.UtcNow;
        await using var connection = await database.DataSource.OpenConnectionAsync();
        await ImportAsync(
            "user_credits (user_id, credits_remaining, credits_allocated, tier, monthly_cap, last_reset, created_at, updated_at, source)",
            (writer, id) => Row(writer, id, 5m, 5m, "trial", 5m, now, now, now, "reconciliation"));
        await ImportAsync(
            "credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)",
            (writer, id) => Row(
                writer, id, 5m, 5m, "purchase",
                new Json("""{"tier": "trial", "reason": "initial_allocation", "source": "reconciliation"}"""), now, "signup"));
        await ImportAsync(
            "audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata)",
            (writer, id) => Row(
                writer, now, id, "credit.create", "success", "user_credits", id,
                new Json("""
                {"tier": "trial", "allocated": 5.000000, "last_reset": "2026-12-23T00:00:00+00:00",
                "source": "reconciliation", "realm": "demo"}
                """)));
        await ImportAsync(
            "keycloak_users (realm, keycloak_id, account_id, created_at, user_state, checked_at)",
            (writer, id) => Row(writer, "demo", id, id, now, "account", now));

        async Task ImportAsync(string target, Action<NpgsqlBinaryImporter, string> row)
        {
            await using var writer = await connection.BeginBinaryImportAsync($"copy {target} from stdin (format binary)");
            foreach (var id in ids)
                row(writer, id);
            await writer.CompleteAsync();
        }
    }

    private static void Row(NpgsqlBinaryImporter writer, params object[] values)
    {
        writer.StartRow();
        foreach (var value in values)
        {
            switch (value)
            {
                case Json json: writer.Write(json.Text, NpgsqlDbType.Jsonb); break;
                case decimal number: writer.Write(number, NpgsqlDbType.Numeric); break;
                case DateTime instant: writer.Write(instant, NpgsqlDbType.TimestampTz); break;
                default: writer.Write((string)value, NpgsqlDbType.Text); break;
            }
        }
    }

    private sealed record Json(string Text);
}
