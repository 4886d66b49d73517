using System.Globalization;
using System.Text.Json;
using KeycloakCreditBridge.Intake.Deliveries.Review;
using KeycloakCreditBridge.Reconciliation.Requests;
using KeycloakCreditBridge.Storage;

namespace KeycloakCreditBridge.Cli.Deliveries;

/// <summary>Shows and replays deliveries. Needs PostgreSQL only.</summary>
internal static class DeliveriesCommand
{
    private const string By = "command";

    private static readonly string[] ColumnHeads =
        ["ID", "RECEIVED", "REALM", "WAY", "FORMAT", "EVENT", "USER", "OUTCOME", "REASON", "HINTS", "MS"];

    private static readonly string[] UnprovenHeads = ["MINUTE", "REALM", "REASON", "COUNT", "SAMPLE"];

    public static Task<int> ListAsync(CommandHost host, string[] settings, DeliveryFilter filter, int limit, bool json) =>
        RunAsync(host, settings, async (services, cancellationToken) =>
        {
            var found = await services.GetRequiredService<DeliveryListStore>().ListAsync(filter, limit, cancellationToken);
            if (found.Count == 0 && !json)
                await Console.Out.WriteLineAsync("There are no such deliveries.");
            else
                foreach (var line in json ? found.Select(Json) : Printable.List([ColumnHeads, .. found.Select(Row)]))
                    await Console.Out.WriteLineAsync(line);
            if (found.Count == limit)
                await Console.Error.WriteLineAsync("There may be more: raise --limit, or choose by --realm, --user, --outcome or --since.");
            return ExitCode.Done;
        });

    public static Task<int> ShowAsync(CommandHost host, string[] settings, Guid id, bool json) =>
        RunAsync(host, settings, async (services, cancellationToken) =>
        {
            if (await FindAsync(services, realm: null, id, cancellationToken) is not { } found)
                return ExitCode.SomeFailed;
            foreach (var line in json ? [Json(found)] : Printable.Columns([.. Lines(found)]))
                await Console.Out.WriteLineAsync(line);
            return ExitCode.Done;
        });

    public static Task<int> UnprovenAsync(CommandHost host, string[] settings, string? realm, int limit, bool json) =>
        RunAsync(host, settings, async (services, cancellationToken) =>
        {
            var counts = await services.GetRequiredService<DeliveryListStore>().UnprovenAsync(realm, limit, cancellationToken);
            if (counts.Count == 0 && !json)
                await Console.Out.WriteLineAsync("Every sender proved itself.");
            else
                foreach (var line in json
                    ? counts.Select(count => JsonSerializer.Serialize(count, DeliveriesJson.Default.UnprovenView))
                    : Printable.List([UnprovenHeads, .. counts.Select(Row)]))
                    await Console.Out.WriteLineAsync(line);
            return ExitCode.Done;
        });

    public static Task<int> ReplayAsync(
        CommandHost host, string[] settings, string? realm, IReadOnlyCollection<Guid> ids, bool json) =>
        RunAsync(host, settings, async (services, cancellationToken) =>
        {
            var exitCode = ExitCode.Done;
            foreach (var id in ids.Distinct())
            {
                if (await FindAsync(services, realm, id, cancellationToken) is not { } found)
                {
                    exitCode = ExitCode.SomeFailed;
                }
                else if (DeliveryReplay.ProblemWith(found) is { } problem)
                {
                    await Console.Error.WriteLineAsync($"Delivery {id} is not replayed. {problem}");
                    exitCode = ExitCode.SomeFailed;
                }
                else
                {
                    await services.GetRequiredService<DeliveryReplay>().ReplayAsync(found, By, cancellationToken);
                    await Console.Out.WriteLineAsync(
                        json ? Json(found) : $"User {Printable.Of(found.KeycloakId)} is read again by the running service.");
                }
            }

            return exitCode;
        });

    public static Task<int> ReplayFailedAsync(
        CommandHost host, string[] settings, string realm, DateTimeOffset since, long? confirmed, bool json) =>
        RunAsync(host, settings, async (services, cancellationToken) =>
        {
            var replay = services.GetRequiredService<FailedReplay>();
            var failed = await replay.CountAsync(realm, since, cancellationToken);
            if (failed.WithoutUser > 0)
                await Console.Error.WriteLineAsync(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{failed.WithoutUser} refused deliveries name no user: remove the cause, then run `reconcile --since {since:u}`."));
            try
            {
                var run = confirmed is { } users ? await replay.StartAsync(realm, since, users, By, cancellationToken) : (long?)null;
                await Console.Out.WriteLineAsync(json
                    ? JsonSerializer.Serialize(
                        new ReplayResult(realm, since, failed.Deliveries, failed.Users, failed.WithoutUser, run),
                        DeliveriesJson.Default.ReplayResult)
                    : Text(failed, run));
                return ExitCode.Done;
            }
            catch (ReplayRefusedException refusal)
            {
                await Console.Error.WriteLineAsync(refusal.Message);
                return ExitCode.SomeFailed;
            }
        });

    private static string Text(FailedDeliveries failed, long? run) => run is { } number
        ? string.Create(
            CultureInfo.InvariantCulture, $"Run {number} reads {failed.Users} users again; the running service carries it out.")
        : failed.Users == 0 ? "No delivery of a known user failed: there is nothing to read again."
        : string.Create(
            CultureInfo.InvariantCulture,
            $"{failed.Deliveries} deliveries failed, of {failed.Users} users: add --confirm {failed.Users} to have these read again.");

    private static async Task<DeliveryView?> FindAsync(
        IServiceProvider services, string? realm, Guid id, CancellationToken cancellationToken)
    {
        var found = await services.GetRequiredService<DeliveryListStore>().FindAsync(realm, id, cancellationToken);
        if (found is null)
            await Console.Error.WriteLineAsync($"There is no delivery {id}, or no longer: give the id as `deliveries list` shows it.");
        return found;
    }

    private static Task<int> RunAsync(
        CommandHost host, string[] settings, Func<IServiceProvider, CancellationToken, Task<int>> work) =>
        DatabaseSession.RunAsync(host, settings, [StorageOptions.Section], work);

    private static string[] Row(DeliveryView delivery) =>
    [
        $"{delivery.Id}", Printable.Of(delivery.ReceivedAt), Printable.Of(delivery.Realm), delivery.Way, Printable.Of(delivery.Format),
        Printable.Of(delivery.Event), Printable.Of(delivery.KeycloakId), delivery.Outcome, Printable.Of(delivery.Reason),
        delivery.Hints.ToString(CultureInfo.InvariantCulture), Milliseconds(delivery),
    ];

    private static string[] Row(UnprovenView count) =>
    [
        Printable.Of(count.Minute), Printable.Of(count.Realm), Printable.Of(count.Reason),
        count.Count.ToString(CultureInfo.InvariantCulture), Printable.Of(count.Sample.GetRawText()),
    ];

    private static IEnumerable<string[]> Lines(DeliveryView delivery)
    {
        string?[][] lines =
        [
            .. ColumnHeads.Zip(Row(delivery), (head, text) => new string?[] { head.ToLowerInvariant(), text }),
            ["kind", delivery.Kind], ["trace", delivery.TraceId], ["body", Printable.Of(delivery.Body)],
        ];
        return lines.Where(line => !string.IsNullOrEmpty(line[1])).Select(line => new[] { line[0]!, line[1]! });
    }

    private static string Milliseconds(DeliveryView delivery) =>
        (delivery.DurationUs / 1000.0).ToString("0.0", CultureInfo.InvariantCulture);

    private static string Json(DeliveryView delivery) => JsonSerializer.Serialize(delivery, DeliveriesJson.Default.DeliveryView);
}
