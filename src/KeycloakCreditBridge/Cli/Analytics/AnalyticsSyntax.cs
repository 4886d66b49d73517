using System.CommandLine;
using KeycloakCreditBridge.Analytics.Reports;

namespace KeycloakCreditBridge.Cli.Analytics;

/// <summary>The command `analytics` and its options.</summary>
internal static class AnalyticsSyntax
{
    private static readonly Option<string?> Realm = new("--realm") { Description = "Only this realm; all without it.", HelpName = "NAME" };

    private static readonly Option<string?> From = new("--from") { Description = "The first day, as 2026-01-31.", HelpName = "DAY" };

    private static readonly Option<string?> To = new("--to")
    {
        Description = "The last day, which counts. Without both the last 30 days.", HelpName = "DAY",
    };

    private static readonly Option<bool> Csv = new("--csv") { Description = "As CSV, for a spreadsheet." };

    private static readonly Option<bool> Json = ResultSyntax.Json("group");

    private static readonly Option<bool> RebuiltJson = ResultSyntax.Json("run");

    public static Command Command(CommandHost host) =>
        new("analytics", "Show how users are counted: how many registered, who has an account, how long it took. Needs PostgreSQL only.")
    {
        Of(host, Report.Funnel, "How many users registered, and how many of them came how far, with a chart."),
        Of(host, Report.Latency, "How long users waited for their accounts."),
        Of(host, Report.Sources, "The funnel by what brought the users."),
        Of(host, Report.Experiments, "The funnel by arm of an experiment."),
        Of(host, Report.Expiries, "Credits by the day on which they end; without days the next 30."),
        Rebuild(host),
    };

    private static Command Of(CommandHost host, Report report, string description)
    {
        var by = new Option<string?>("--by") { Description = $"Group by {string.Join(", ", report.Groups)}.", HelpName = "WORD" };
        var command = new Command(report.Name, description) { Realm, From, To, by, Csv, Json };
        command.Validators.Add(result =>
        {
            if (result.GetValue(Csv) && result.GetValue(Json))
                result.AddError("--csv and --json exclude each other.");
        });
        command.SetAction((parsed, _) => AnalyticsCommand.ShowAsync(
            host, host.Settings(parsed), report, parsed.GetValue(Realm), (parsed.GetValue(From), parsed.GetValue(To), parsed.GetValue(by)),
            parsed.GetValue(Csv) ? AnalyticsCommand.Output.Csv
                : parsed.GetValue(Json) ? AnalyticsCommand.Output.Json : AnalyticsCommand.Output.Text));
        return command;
    }

    private static Command Rebuild(CommandHost host)
    {
        var command = new Command(
            "rebuild", "Count all days anew from the records, and read milestones that are missing from the ledger.") { RebuiltJson };
        command.SetAction((parsed, _) => AnalyticsCommand.RebuildAsync(host, host.Settings(parsed), parsed.GetValue(RebuiltJson)));
        return command;
    }
}
