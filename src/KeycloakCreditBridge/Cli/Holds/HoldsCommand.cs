using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Cli.Arguments;
using KeycloakCreditBridge.Cli.Grants;
using KeycloakCreditBridge.Grants.Review.Holds;

namespace KeycloakCreditBridge.Cli.Holds;

/// <summary>Shows held grants and decides them.</summary>
internal static class HoldsCommand
{
    private static readonly string[] ColumnHeads =
        ["SINCE", "STATE", "ACCOUNT", "GRANT", "CREDITS", "SCORE", "SIGNALS", "APPEAL", "LAPSES", "DECIDED BY", "ID"];

    public static Task<int> ListAsync(
        CommandHost host, string[] settings, string? realm, HoldFilter filter, int limit, bool json) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            var found = await services.GetRequiredService<HoldListStore>().ListAsync(
                filter with { Realms = ConfiguredRealms.Of(services, realm) }, limit, cancellationToken);
            if (found.Count == 0 && !json)
                await Console.Out.WriteLineAsync("There are no such holds.");
            else
                foreach (var line in json ? found.Select(Json) : Printable.List([ColumnHeads, .. found.Select(Row)]))
                    await Console.Out.WriteLineAsync(line);
            return ExitCode.Done;
        });

    public static Task<int> ShowAsync(CommandHost host, string[] settings, string? realm, Guid id, bool json) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            if (await FindAsync(services, realm, id, cancellationToken) is not { } hold)
                return ExitCode.SomeFailed;
            foreach (var line in json ? [Json(hold)] : Printable.List([ColumnHeads, Row(hold)]).Concat(Details(hold)))
                await Console.Out.WriteLineAsync(line);
            return ExitCode.Done;
        });

    public static Task<int> DecideAsync(
        CommandHost host, string[] settings, string? realm, Guid id, HoldState to, int? version, string? note, bool json) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            if (await FindAsync(services, realm, id, cancellationToken) is not { } hold)
                return ExitCode.SomeFailed;
            var result = await services.GetRequiredService<HoldBook>().DecideAsync(
                new HoldDecision(id, version ?? hold.Version, to, GrantsCommand.Author, note), [hold.Realm], cancellationToken);
            if (result.Outcome != DecisionOutcome.Done)
            {
                await Console.Error.WriteLineAsync($"Hold {id} is {result.State}: {DecisionTexts.Of(result.Outcome)}");
                return ExitCode.SomeFailed;
            }

            await Console.Out.WriteLineAsync(json
                ? JsonSerializer.Serialize(
                    new ShownDecision(id, hold.AccountId, hold.GrantKey, result.State!, result.Credits), HoldsJson.Default.ShownDecision)
                : $"Hold {id} is {result.State}: {Number(result.Credits)} credits of {Printable.Of(hold.AccountId)}.");
            return ExitCode.Done;
        });

    public static Task<int> DecideManyAsync(
        CommandHost host, string[] settings, string? realm, HoldFilter filter, HoldState to, long? confirm, string? note, bool json) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            var result = await services.GetRequiredService<HoldBulk>().DecideAsync(
                new BulkDecision(
                    filter with { Realms = ConfiguredRealms.Of(services, realm) }, to, confirm, GrantsCommand.Author, note),
                cancellationToken);
            foreach (var left in result.Left)
                await Console.Error.WriteLineAsync($"{left.Id} of {Printable.Of(left.AccountId)}: {DecisionTexts.Of(left.Outcome)}");
            await Console.Out.WriteLineAsync(json
                ? JsonSerializer.Serialize(
                    new ShownDecisions(result.Count, result.Credits, result.Done, result.Left.Count), HoldsJson.Default.ShownDecisions)
                : Sentence(result, to, confirm));
            return confirm is null || (result is { IsConfirmed: true, IsTooMany: false, Left.Count: 0 })
                ? ExitCode.Done : ExitCode.SomeFailed;
        });

    private static string Sentence(BulkResult result, HoldState to, long? confirm)
    {
        var count = result.Count.ToString(CultureInfo.InvariantCulture);
        return result.IsTooMany ? $"These are more than {HoldBulk.Most} holds: choose fewer, such as by --signal or --at-least."
            : confirm is null ? $"These are {count} holds of {Number(result.Credits)} credits: --confirm {count} decides them."
            : !result.IsConfirmed ? $"Nothing was decided: these are {count} holds."
            : $"{result.Done} holds are {HoldMoves.Name(to)}, {result.Left.Count} wait on.";
    }

    private static async Task<ListedHold?> FindAsync(
        IServiceProvider services, string? realm, Guid id, CancellationToken cancellationToken)
    {
        var found = await services.GetRequiredService<HoldListStore>().FindAsync(
            id, ConfiguredRealms.Of(services, realm), cancellationToken);
        if (found is null)
            await Console.Error.WriteLineAsync(DecisionTexts.Of(DecisionOutcome.Unknown));
        return found;
    }

    private static string[] Row(ListedHold hold) =>
    [
        Printable.Of(hold.HeldAt), hold.State, Printable.Of(hold.AccountId), Printable.Of(hold.GrantKey), Number(hold.Credits),
        $"{hold.Score}", string.Join(' ', HeldSignal.Of(hold.Signals).Where(signal => signal.Score > 0).Select(signal => signal.Signal)),
        hold.AppealedAt is { } at ? Printable.Of(at) : "-", hold.State == "held" ? Printable.Of(hold.LapsesAt) : "-",
        Printable.Of(hold.DecidedBy), $"{hold.Id}",
    ];

    private static IEnumerable<string> Details(ListedHold hold) =>
    [
        .. HeldSignal.Of(hold.Signals).Select(signal => signal.Missing is null
            ? $"{signal.Signal}: {signal.Score}"
            : $"{signal.Signal}: could not be asked ({signal.Missing})"),
        .. hold.Note is { } note ? [$"note: {Printable.Of(note)}"] : Array.Empty<string>(),
        .. HeldAppeal.Of(hold.Appeal) is { } appeal
            ? [$"appeal against {appeal.State} by {Printable.Of(appeal.DecidedBy)}: {Printable.Of(appeal.Text)}"] : Array.Empty<string>(),
    ];

    private static string Number(decimal amount) => amount.ToString("0.00####", CultureInfo.InvariantCulture);

    private static string Json(ListedHold hold) => JsonSerializer.Serialize(
        new ShownHold(
            hold.Id, hold.Realm, hold.AccountId, hold.GrantKey, hold.Policy, hold.Credits, hold.Score, HeldSignal.Of(hold.Signals),
            hold.State, hold.HeldAt, hold.LapsesAt, hold.DecidedBy, hold.DecidedAt, hold.Note, HeldAppeal.Of(hold.Appeal), hold.AppealedAt,
            hold.Version),
        HoldsJson.Default.ShownHold);
}

/// <summary>The line of `holds list --json`.</summary>
internal sealed record ShownHold(
    Guid Id, string Realm, string AccountId, string GrantKey, string Policy, decimal Credits, int Score, IReadOnlyList<HeldSignal> Signals,
    string State, DateTimeOffset HeldAt, DateTimeOffset LapsesAt, string? DecidedBy, DateTimeOffset? DecidedAt, string? Note,
    HeldAppeal? Appeal, DateTimeOffset? AppealedAt, int Version);

/// <summary>The line of `holds approve ID --json`, and of `holds reject`.</summary>
internal sealed record ShownDecision(Guid Id, string AccountId, string GrantKey, string State, decimal Credits);

/// <summary>The same where many were decided, or counted.</summary>
internal sealed record ShownDecisions(long Holds, decimal Credits, int Decided, int Left);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(ShownHold))]
[JsonSerializable(typeof(ShownDecision))]
[JsonSerializable(typeof(ShownDecisions))]
internal sealed partial class HoldsJson : JsonSerializerContext;
