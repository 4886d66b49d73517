using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Outbox;
using KeycloakCreditBridge.Outbox.Endpoints;
using KeycloakCreditBridge.Outbox.Reading;
using KeycloakCreditBridge.Outbox.Sending;
using KeycloakCreditBridge.Storage;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Cli.Events;

/// <summary>Shows recorded events, and has them sent again.</summary>
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
                foreach (var line in json ? events.Select(Json) : Printable.List([ColumnHeads, .. events.Select(Row)]))
                    await Console.Out.WriteLineAsync(line);
            if (events.Count == limit)
                await Console.Error.WriteLineAsync("There may be more: raise --limit, or choose by --account or --type.");
            return ExitCode.Done;
        });

    public static Task<int> ReplayAsync(CommandHost host, string[] settings, string endpoint, DateTimeOffset? since, bool json) =>
        DatabaseSession.RunAsync(
        host,
        settings,
        [StorageOptions.Section, OutboxOptions.Section],
        async (services, cancellationToken) =>
        {
            _ = Configured(services, endpoint);
            if (await services.GetRequiredService<ReplayStore>().ReplayAsync(endpoint, since, cancellationToken) is not { } after)
            {
                await Console.Error.WriteLineAsync(
                    $"Nothing was sent to endpoint {endpoint} yet: it is known once a service with Outbox:Enabled runs.");
                return ExitCode.SomeFailed;
            }

            await Console.Out.WriteLineAsync(json
                ? JsonSerializer.Serialize(new ReplayedEndpoint(endpoint, since, after), EventsJson.Default.ReplayedEndpoint)
                : since is { } from
                    ? $"The running service sends endpoint {endpoint} its events since {Printable.Of(from)}, of {after} recorded ones."
                    : $"The running service sends endpoint {endpoint} what it has not taken.");
            return ExitCode.Done;
        });

    public static async Task<int> TestAsync(CommandHost host, string[] settings, string endpoint, bool json)
    {
        await using var app = host.BuildCommand(settings);
        ConfigurationCheck.Run(app.Services, [OutboxOptions.Section]);
        var options = Configured(app.Services, endpoint);
        var source = app.Services.GetRequiredService<IOptions<OutboxOptions>>().Value.Source;
        using var stop = new StopSignal(() => { });
        using var sink = EventSinks.Of(endpoint, options, source, TimeProvider.System);
        var told = new OutboxEvent(0, Guid.NewGuid(), "test", EventTypes.Test, "{}", TimeProvider.System.GetUtcNow());
        var result = (await sink.RoundAsync([told], stop.Token)).Results[told.Seq];
        if (json)
            await Console.Out.WriteLineAsync(
                JsonSerializer.Serialize(new TestedEndpoint(endpoint, told.Id, result.Error), EventsJson.Default.TestedEndpoint));
        else if (result.Error is null)
            await Console.Out.WriteLineAsync($"Endpoint {endpoint} took the event {told.Id}.");
        if (result.Error is null)
            return ExitCode.Done;
        await Console.Error.WriteLineAsync($"Endpoint {endpoint} at {options.Url} did not take the event: {result.Error}.");
        return ExitCode.SomeFailed;
    }

    private static EndpointOptions Configured(IServiceProvider services, string endpoint)
    {
        var known = services.GetRequiredService<IOptions<OutboxOptions>>().Value.Endpoints;
        return known.TryGetValue(endpoint, out var options)
            ? options
            : throw new ConfigurationException(
                [$"{endpoint} is no endpoint: Outbox:Endpoints has {(known.Count == 0 ? "none" : string.Join(", ", known.Keys))}."]);
    }

    private static string[] Row(OutboxEvent told) =>
        [Printable.Of(told.At), told.Type, Printable.Of(told.AccountId), Printable.Of(told.Data), $"{told.Id}"];

    private static string Json(OutboxEvent told) => JsonSerializer.Serialize(
        new EventResult(told.Id, told.Type, told.AccountId, told.At, JsonNode.Parse(told.Data)!.AsObject()),
        EventsJson.Default.EventResult);
}

/// <summary>A line of `events list --json`.</summary>
/// <param name="Data">As docs/events.md lists it by type.</param>
internal sealed record EventResult(Guid Id, string Type, string Account, DateTimeOffset Time, JsonObject Data);

/// <summary>A line of `events replay --json`.</summary>
/// <param name="Recorded">Events of all types after the place from which it goes on.</param>
internal sealed record ReplayedEndpoint(string Endpoint, DateTimeOffset? Since, long Recorded);

/// <summary>A line of `events test --json`.</summary>
/// <param name="Error">Why the endpoint did not take the event; null where it did.</param>
internal sealed record TestedEndpoint(string Endpoint, Guid Id, string? Error);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(EventResult))]
[JsonSerializable(typeof(ReplayedEndpoint))]
[JsonSerializable(typeof(TestedEndpoint))]
internal sealed partial class EventsJson : JsonSerializerContext;
