using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Metering.Reports;
using KeycloakCreditBridge.Storage;

namespace KeycloakCreditBridge.Cli.Usage;

/// <summary>Shows and retries refused usage records. Needs PostgreSQL only.</summary>
internal static class UsageCommand
{
    private const int ShownLength = 100;

    private static readonly string[] ColumnHeads = ["ID", "REFUSED", "ERROR", "RECORD"];

    public static Task<int> ListAsync(CommandHost host, string[] settings, int limit, bool json) =>
        RunAsync(host, settings, async (store, cancellationToken) =>
        {
            var refusals = await store.ListAsync(limit, cancellationToken);
            if (refusals.Count == 0 && !json)
                await Console.Out.WriteLineAsync("There are no refused records.");
            else
                foreach (var line in json ? refusals.Select(Json) : Printable.List([ColumnHeads, .. refusals.Select(Row)]))
                    await Console.Out.WriteLineAsync(line);
            if (refusals.Count > 0 && refusals[0].Total > refusals.Count)
                await Console.Error.WriteLineAsync($"{refusals[0].Total - refusals.Count} more: raise --limit.");
            return ExitCode.Done;
        });

    public static Task<int> RetryAsync(CommandHost host, string[] settings, IReadOnlyCollection<long> ids, bool all, bool json) =>
        RunAsync(host, settings, async (store, cancellationToken) =>
        {
            var retried = await store.RetryAsync(ids, all, cancellationToken);
            string[] lines = json
                ? [.. retried.Select(id => JsonSerializer.Serialize(new RetriedRecord(id), UsageJson.Default.RetriedRecord))]
                : [$"{retried.Count} records are due now; the running service charges them or refuses them again."];
            foreach (var line in lines)
                await Console.Out.WriteLineAsync(line);
            var exitCode = ExitCode.Done;
            foreach (var id in ids.Except(retried))
            {
                await Console.Error.WriteLineAsync($"There is no refused record {id}: give the number as `usage refusals list` shows it.");
                exitCode = ExitCode.SomeFailed;
            }

            return exitCode;
        });

    private static Task<int> RunAsync(CommandHost host, string[] settings, Func<RefusalStore, CancellationToken, Task<int>> work) =>
        DatabaseSession.RunAsync(
            host,
            settings,
            [StorageOptions.Section],
            (services, cancellationToken) => work(services.GetRequiredService<RefusalStore>(), cancellationToken));

    private static string[] Row(RefusedUsage refusal)
    {
        var record = Printable.Of(Encoding.UTF8.GetString(refusal.Record));
        return
        [
            refusal.Id.ToString(CultureInfo.InvariantCulture), Printable.Of(refusal.RefusedAt), Printable.Of(refusal.Error),
            record.Length <= ShownLength ? record : $"{record[..ShownLength]}…",
        ];
    }

    private static string Json(RefusedUsage refusal) => JsonSerializer.Serialize(
        new RefusalResult(refusal.Id, refusal.RefusedAt, refusal.Error, Encoding.UTF8.GetString(refusal.Record)),
        UsageJson.Default.RefusalResult);
}

/// <summary>A line of `usage refusals list --json`.</summary>
/// <param name="Record">The record as it came.</param>
internal sealed record RefusalResult(long Id, DateTimeOffset RefusedAt, string Error, string Record);

/// <summary>A line of `usage refusals retry --json`: a record that is due now.</summary>
internal sealed record RetriedRecord(long Id);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(RefusalResult))]
[JsonSerializable(typeof(RetriedRecord))]
internal sealed partial class UsageJson : JsonSerializerContext;
