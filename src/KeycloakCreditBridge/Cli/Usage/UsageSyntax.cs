using System.CommandLine;

namespace KeycloakCreditBridge.Cli.Usage;

/// <summary>The command `usage` and its options.</summary>
internal static class UsageSyntax
{
    private static readonly Option<long[]> Ids = new("--id")
    {
        Description = "The number of a record, as the list shows it. Repeatable.",
        HelpName = "N",
    };

    private static readonly Option<bool> All = new("--all") { Description = "All refused records." };

    private static readonly Option<bool> Json = ResultSyntax.Json("record");

    private static readonly Option<int> Limit = ResultSyntax.Limit();

    public static Command Command(CommandHost host) => new("usage", "Review usage that gateways reported. Needs PostgreSQL only.")
    {
        new Command("refusals", "Review usage records that could not be charged.") { List(host), Retry(host) },
    };

    private static Command List(CommandHost host)
    {
        var command = new Command("list", "Show refused records with the reason, the latest first.") { Limit, Json };
        command.SetAction(
            (parsed, _) => UsageCommand.ListAsync(host, host.Settings(parsed), parsed.GetValue(Limit), parsed.GetValue(Json)));
        return command;
    }

    private static Command Retry(CommandHost host)
    {
        var command = new Command(
            "retry",
            "Process refused records again, after the cause was removed or by the rules of a newer release. Each is charged at most once.")
        {
            Ids, All, Json,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(All) == result.GetValue(Ids) is { Length: > 0 })
                result.AddError("Name the records: --id N, as often as needed, or --all.");
        });
        command.SetAction((parsed, _) => UsageCommand.RetryAsync(
            host, host.Settings(parsed), parsed.GetValue(Ids) ?? [], parsed.GetValue(All), parsed.GetValue(Json)));
        return command;
    }
}
