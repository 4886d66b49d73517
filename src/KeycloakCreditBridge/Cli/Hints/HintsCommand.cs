using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Storage;

namespace KeycloakCreditBridge.Cli.Hints;

/// <summary>Shows, retries and deletes hints. Needs PostgreSQL only.</summary>
internal static class HintsCommand
{
    private static readonly string[] ColumnHeads = ["STATE", "REALM", "USER", "SINCE", "DUE", "TRIES", "CAUSE", "SOURCE", "ERROR"];

    public static Task<int> ListAsync(CommandHost host, string[] settings, string? realm, string? state, int limit, bool json) =>
        RunAsync(host, settings, async (store, cancellationToken) =>
        {
            var hints = await store.ListAsync(realm, state, limit, cancellationToken);
            if (hints.Count == 0 && !json)
                await Console.Out.WriteLineAsync(
                    $"There are no {state ?? "waiting or dead"} hints{(realm is null ? "" : $" in realm {Printable.Of(realm)}")}.");
            else
                foreach (var line in json ? hints.Select(Json) : Printable.List([ColumnHeads, .. hints.Select(Row)]))
                    await Console.Out.WriteLineAsync(line);
            if (hints.Count > 0 && hints[0].Total > hints.Count)
                await Console.Error.WriteLineAsync(
                    $"{hints[0].Total - hints.Count} more: raise --limit, or choose by --realm, --dead or --waiting.");
            return ExitCode.Done;
        });

    public static Task<int> RetryAsync(
        CommandHost host, string[] settings, string? realm, IReadOnlyCollection<string> users, bool allDead, bool json) =>
        RunAsync(host, settings, async (store, cancellationToken) =>
        {
            var renewed = await store.RetryAsync(realm, users, allDead, cancellationToken);
            string[] lines = json
                ? [.. renewed.Select(user => JsonSerializer.Serialize(new RetriedHint(user), HintsJson.Default.RetriedHint))]
                : [$"{renewed.Count} hints are due now; the running service evaluates them at once."];
            foreach (var line in lines)
                await Console.Out.WriteLineAsync(line);
            return await ReportMissingAsync(users.Except(renewed, StringComparer.Ordinal));
        });

    public static Task<int> DropAsync(CommandHost host, string[] settings, string realm, IReadOnlyCollection<string> users, bool json) =>
        RunAsync(host, settings, async (store, cancellationToken) =>
        {
            var dropped = await store.DropAsync(realm, users, cancellationToken);
            foreach (var hint in dropped)
                await Console.Out.WriteLineAsync(json ? Json(hint) : DroppedLine(hint));
            return await ReportMissingAsync(users.Except(dropped.Select(hint => hint.KeycloakId), StringComparer.Ordinal));
        });

    private static Task<int> RunAsync(CommandHost host, string[] settings, Func<HintListStore, CancellationToken, Task<int>> work) =>
        DatabaseSession.RunAsync(
        host,
        settings,
        [StorageOptions.Section],
        (services, cancellationToken) => work(services.GetRequiredService<HintListStore>(), cancellationToken));

    private static async Task<int> ReportMissingAsync(IEnumerable<string> users)
    {
        var exitCode = ExitCode.Done;
        foreach (var user in users)
        {
            await Console.Error.WriteLineAsync($"There is no hint of user {Printable.Of(user)}: give the id as `hints list` shows it.");
            exitCode = ExitCode.SomeFailed;
        }

        return exitCode;
    }

    private static string[] Row(ListedHint hint) =>
    [
        hint.State, Printable.Of(hint.Realm), Printable.Of(hint.KeycloakId), Printable.Of(hint.HintedAt),
        hint.State == "dead" ? "never" : Printable.Of(hint.DueAt), hint.Attempts.ToString(CultureInfo.InvariantCulture),
        Printable.Of(hint.Cause), Printable.Of(hint.Source), Printable.Of(hint.Error),
    ];

    private static string DroppedLine(ListedHint hint) =>
        $"Dropped the {hint.State} hint of user {Printable.Of(hint.KeycloakId)} in realm {Printable.Of(hint.Realm)}, written for "
        + $"{Printable.Of(hint.Cause)} by {Printable.Of(hint.Source)} at {Printable.Of(hint.HintedAt)}. The change is not evaluated until "
        + "the user's next event or a reconciliation; the account of a deleted user may stay open.";

    private static string Json(ListedHint hint) => JsonSerializer.Serialize(
        new HintResult(
            hint.Realm, hint.KeycloakId, hint.State, hint.Kind, hint.Cause, hint.Source, hint.HintedAt, hint.DueAt, hint.Attempts,
            hint.Error),
        HintsJson.Default.HintResult);
}

/// <summary>A line of `hints list --json`, and of `hints drop --json`.</summary>
/// <param name="State">`waiting` or `dead`.</param>
/// <param name="Kind">`changed`, `deleted` or `seen`.</param>
/// <param name="DueAt">When it is tried next; for a dead hint, when that would have been.</param>
internal sealed record HintResult(
    string Realm,
    string KeycloakId,
    string State,
    string Kind,
    string Cause,
    string Source,
    DateTimeOffset HintedAt,
    DateTimeOffset DueAt,
    int Attempts,
    string? Error);

/// <summary>A line of `hints retry --json`: a user whose hint is due now.</summary>
internal sealed record RetriedHint(string KeycloakId);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(HintResult))]
[JsonSerializable(typeof(RetriedHint))]
internal sealed partial class HintsJson : JsonSerializerContext;
