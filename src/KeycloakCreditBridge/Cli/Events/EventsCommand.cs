using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Outbox;
using KeycloakCreditBridge.Outbox.Reading;
using KeycloakCreditBridge.Storage;

namespace KeycloakCreditBridge.Cli.Events;

/// <summary>Shows recorded events. Needs PostgreSQL only.</summary>
internal static class EventsCommand
{
    private static readonly string[] ColumnHeads = ["TIME", "TYPE", "ACCOUNT", "DATA", "ID"];

    public static Task<int> ListAsync(CommandHost host, string[] settings, string? account, string? type, int limit, bool json) =>
        DatabaseSession.RunAsync(host, settings, [StorageOptions.Section], async (services, cancellationToken) =>
        {
            var events = await services.GetRequiredService<OutboxListStore>().ListAsync(account, type, limit, cancellationToken);
            if (events.Count == 0 && !json)
                await Console.Out.WriteLineAsync("There are no such events. They are recorded while Outbox:Enabled is true.");
            else
                foreach (var line in json ? events.Select(Json) : Printable.Columns([ColumnHeads, .. events.Select(Row)]))
                    await Console.Out.WriteLineAsync(line);
            if (events.Count == limit)
                await Console.Error.WriteLineAsync("There may be more: raise --limit, or choose by --account or --type.");
            return ExitCode.Done;
        });

    private static string[] Row(OutboxEvent told) =>
        [Printable.Of(told.At), told.Type, Printable.Of(told.AccountId), Printable.Of(told.Data), $"{told.Id}"];

    private static string Json(OutboxEvent told) => JsonSerializer.Serialize(
        new EventResult(told.Id, told.Type, told.AccountId, told.At, JsonNode.Parse(told.Data)!.AsObject()), EventsJson.Default.EventResult);
}

/// <summary>A line of `events list --json`.</summary>
/// <param name="Data">As docs/events.md lists it by type.</param>
internal sealed record EventResult(Guid Id, string Type, string Account, DateTimeOffset Time, JsonObject Data);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(EventResult))]
internal sealed partial class EventsJson : JsonSerializerContext;
