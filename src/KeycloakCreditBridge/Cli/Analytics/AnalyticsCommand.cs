using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Analytics;
using KeycloakCreditBridge.Analytics.Reports;
using KeycloakCreditBridge.Analytics.RollUps;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Spectre.Console;

namespace KeycloakCreditBridge.Cli.Analytics;

/// <summary>Shows and rebuilds reports. Needs PostgreSQL only.</summary>
internal static class AnalyticsCommand
{
    private const int ChartWidth = 78;

    // What the funnel's chart shows: its first columns, from registration to purchase.
    private const int Steps = 7;

    /// <summary>How a report is printed.</summary>
    internal enum Output
    {
        Text,
        Csv,
        Json,
    }

    /// <exception cref="ConfigurationException">A day or a group is none.</exception>
    public static Task<int> ShowAsync(
        CommandHost host, string[] settings, Report report, string? realm, (string? From, string? To, string? By) values, Output output) =>
        DatabaseSession.RunAsync(
            host, settings, [StorageOptions.Section, AnalyticsOptions.Section], async (services, cancellationToken) =>
            {
                var writer = services.GetRequiredService<ReportWriter>();
                Dictionary<string, string> problems = [];
                var query = AnalyticsQuery.Read(report, realm, values, writer.Today, problems);
                if (problems.Count > 0)
                    throw new ConfigurationException([.. problems.Select(problem => $"--{problem.Key} {problem.Value}.")]);
                var view = await writer.WriteAsync(report, query, cancellationToken);
                if (output == Output.Csv)
                    await Console.Out.WriteAsync(CsvText.Of(view));
                else if (output == Output.Json)
                    foreach (var row in view.Rows)
                        await Console.Out.WriteLineAsync(Json(view, row));
                else
                    await WriteTextAsync(view, report);
                if (view.RebuiltAt is null)
                    await Console.Error.WriteLineAsync("Nothing was counted yet: run `analytics rebuild`, or the service.");
                return ExitCode.Done;
            });

    public static Task<int> RebuildAsync(CommandHost host, string[] settings, bool json) => DatabaseSession.RunAsync(
        host, settings, [StorageOptions.Section, AnalyticsOptions.Section, ProvisioningOptions.Section],
        async (services, cancellationToken) =>
        {
            var result = await services.GetRequiredService<RollUpStore>().RebuildAsync(whole: true, cancellationToken);
            await Console.Out.WriteLineAsync(json
                ? JsonSerializer.Serialize(new RebuildResult(result.Rows, result.Milestones), AnalyticsJson.Default.RebuildResult)
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"All days are counted anew: {result.Rows} rows. {result.Milestones} accounts got milestones from the ledger."));
            return ExitCode.Done;
        });

    private static async Task WriteTextAsync(ReportView view, Report report)
    {
        if (view.Rows.Length == 0)
        {
            await Console.Out.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture, $"There is nothing from {view.From:yyyy-MM-dd} to {view.To:yyyy-MM-dd}."));
            return;
        }

        if (report == Report.Funnel)
            Chart(view);
        string[][] rows =
        [
            [view.By.ToUpperInvariant(), .. view.Columns.Select(column => column.ToUpperInvariant())],
            .. view.Rows.Select(row => new[] { $"{Printable.Of(row.Name)}{(row.Unripe ? " *" : "")}" }
                .Concat(row.Values.Select(text => text.Length > 0 ? text : "-")).ToArray()),
        ];
        foreach (var line in Printable.Tables(rows))
            await Console.Out.WriteLineAsync(line);
        if (Array.Exists(view.Rows, row => row.Unripe))
            await Console.Out.WriteLineAsync("* Fewer than 30 days old: later steps may still come.");
    }

    // Counts that are not told count as nothing.
    private static void Chart(ReportView view)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Out) });
        var chart = new BarChart().Width(ChartWidth);
        foreach (var (column, index) in view.Columns.Take(Steps).Select((column, index) => (column, index)))
        {
            var sum = view.Rows.Sum(row =>
                long.TryParse(row.Values[index], NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : 0);
            chart.AddItem(Markup.Escape(column), sum, Color.Green);
        }

        console.Write(chart);
    }

    private static string Json(ReportView view, ReportRow row)
    {
        var members = new Dictionary<string, string>(StringComparer.Ordinal) { ["group"] = row.Name };
        foreach (var (column, value) in view.Columns.Zip(row.Values))
            members[JsonNamingPolicy.CamelCase.ConvertName(Pascal(column))] = value;
        return JsonSerializer.Serialize(members, AnalyticsJson.Default.DictionaryStringString);
    }

    private static string Pascal(string column) =>
        string.Concat(column.Split('_').Select(word => $"{char.ToUpperInvariant(word[0])}{word[1..]}"));
}

/// <summary>The line of `analytics rebuild --json`.</summary>
/// <param name="Rows">Rows that were written.</param>
/// <param name="Milestones">Accounts whose missing milestones were read from the ledger.</param>
internal sealed record RebuildResult(int Rows, int Milestones);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(Dictionary<string, string>))]
[JsonSerializable(typeof(RebuildResult))]
internal sealed partial class AnalyticsJson : JsonSerializerContext;
