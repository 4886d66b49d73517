using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Cli.Arguments;
using KeycloakCreditBridge.Reconciliation.Tasks;

namespace KeycloakCreditBridge.Cli.Reconcile;

/// <summary>Reads users with an undone task, realm by realm. Needs PostgreSQL, and Keycloak unless it only counts.</summary>
internal static class TasksCommand
{
    public static Task<int> RunAsync(CommandHost host, string[] settings, IReadOnlyList<string> named, bool dryRun, bool json) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            string[] realms = named.Count == 0
                ? ConfiguredRealms.Of(services, realm: null)
                : [.. named.Distinct(StringComparer.Ordinal).SelectMany(realm => ConfiguredRealms.Of(services, realm))];
            var exitCode = ExitCode.Done;
            foreach (var realm in realms)
            {
                var progress = new Lines(realm, isQuiet: json);
                var counts = await services.GetRequiredService<TaskReading>().RunAsync(realm, dryRun, progress, cancellationToken);
                if (counts is null)
                {
                    await Console.Error.WriteLineAsync($"{realm}: another process reads users with undone tasks now.");
                    exitCode = ExitCode.SomeFailed;
                    continue;
                }

                await Console.Out.WriteLineAsync(json ? Json(realm, dryRun, counts) : Text(realm, dryRun, counts));
                foreach (var problem in counts.Problems)
                    await Console.Error.WriteLineAsync($"{realm}: {Printable.Of(problem)}");
                if (counts.Failed > 0)
                    exitCode = ExitCode.SomeFailed;
            }

            return exitCode;
        });

    private static string Text(string realm, bool dryRun, TaskReadingCounts counts) => dryRun
        ? $"{realm}: {counts.Users} users may still earn credits by a task (dry run, Keycloak was not asked)"
        : $"{realm}: {counts.Users} users with an undone task read, {counts.Paid} grants paid, {counts.Failed} failed";

    private static string Json(string realm, bool dryRun, TaskReadingCounts counts) => JsonSerializer.Serialize(
        new TaskReadingResult(realm, dryRun, counts.Users, counts.Paid, counts.Failed, counts.Problems),
        TasksJson.Default.TaskReadingResult);

    // Called once a second.
    private sealed class Lines(string realm, bool isQuiet) : IProgress<TaskReadingCounts>
    {
        private const int Every = 10;

        private int _calls;

        public void Report(TaskReadingCounts value)
        {
            if (!isQuiet && ++_calls % Every == 0)
                Console.Error.WriteLine($"{realm}: {value.Users} users read, {value.Paid} grants paid");
        }
    }
}

/// <summary>The line of `reconcile --tasks --json`.</summary>
/// <param name="Users">Users who may still earn credits by a task.</param>
/// <param name="Paid">Grants that they got.</param>
internal sealed record TaskReadingResult(
    string Realm, bool DryRun, long Users, long Paid, long Failed, IReadOnlyList<string> Problems);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(TaskReadingResult))]
internal sealed partial class TasksJson : JsonSerializerContext;
