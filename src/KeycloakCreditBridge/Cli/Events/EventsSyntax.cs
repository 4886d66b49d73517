using System.CommandLine;
using KeycloakCreditBridge.Cli.Arguments;
using KeycloakCreditBridge.Outbox;

namespace KeycloakCreditBridge.Cli.Events;

/// <summary>The command `events` and its options.</summary>
internal static class EventsSyntax
{
    private static readonly Option<string?> Account = new("--account") { Description = "Only of this account, exactly.", HelpName = "ID" };

    private static readonly Option<string?> Type =
        new Option<string?>("--type") { Description = "Only of this type.", HelpName = "TYPE" }.AcceptOnlyFromAmong(EventTypes.All);

    private static readonly Option<DateTimeOffset?> Since = new("--since")
    {
        Description = "All events since this date or instant (UTC without an offset). Without it those only that it has not taken.",
        HelpName = "WHEN",
        CustomParser = InstantArgument.Parse,
    };

    private static readonly Argument<string> Endpoint = new("ENDPOINT") { Description = "As Outbox:Endpoints names it." };

    private static readonly Option<bool> Json = ResultSyntax.Json("event");

    private static readonly Option<bool> ResultJson = ResultSyntax.Json("endpoint");

    private static readonly Option<int> Limit = ResultSyntax.Limit();

    public static Command Command(CommandHost host) =>
        new("events", "Show the events about credits that are recorded for other programs, and send them again.")
    {
        List(host), Replay(host), Test(host),
    };

    private static Command List(CommandHost host)
    {
        var command = new Command("list", "Show recorded events, newest first. Needs PostgreSQL only.") { Account, Type, Limit, Json };
        command.SetAction((parsed, _) => EventsCommand.ListAsync(
            host, host.Settings(parsed), parsed.GetValue(Account), parsed.GetValue(Type), parsed.GetValue(Limit), parsed.GetValue(Json)));
        return command;
    }

    private static Command Replay(CommandHost host)
    {
        var command = new Command(
            "replay", "Have the running service send events to an endpoint again, also one that was disabled. Needs PostgreSQL only.")
        {
            Endpoint, Since, ResultJson,
        };
        command.SetAction((parsed, _) => EventsCommand.ReplayAsync(
            host, host.Settings(parsed), parsed.GetRequiredValue(Endpoint), parsed.GetValue(Since), parsed.GetValue(ResultJson)));
        return command;
    }

    private static Command Test(CommandHost host)
    {
        var command = new Command("test", "Send an endpoint one signed event in which nothing happened. Needs neither server.")
        {
            Endpoint, ResultJson,
        };
        command.SetAction((parsed, _) => EventsCommand.TestAsync(
            host, host.Settings(parsed), parsed.GetRequiredValue(Endpoint), parsed.GetValue(ResultJson)));
        return command;
    }
}
