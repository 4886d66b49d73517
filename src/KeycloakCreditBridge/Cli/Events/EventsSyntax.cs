using System.CommandLine;
using KeycloakCreditBridge.Outbox;

namespace KeycloakCreditBridge.Cli.Events;

/// <summary>The command `events` and its options.</summary>
internal static class EventsSyntax
{
    private static readonly Option<string?> Account = new("--account") { Description = "Only of this account, exactly.", HelpName = "ID" };

    private static readonly Option<string?> Type =
        new Option<string?>("--type") { Description = "Only of this type.", HelpName = "TYPE" }.AcceptOnlyFromAmong(EventTypes.All);

    private static readonly Option<bool> Json = ResultSyntax.Json("event");

    private static readonly Option<int> Limit = ResultSyntax.Limit();

    public static Command Command(CommandHost host) =>
        new("events", "Show the events about credits that are recorded for other programs. Needs PostgreSQL only.") { List(host) };

    private static Command List(CommandHost host)
    {
        var command = new Command("list", "Show recorded events, newest first.") { Account, Type, Limit, Json };
        command.SetAction((parsed, _) => EventsCommand.ListAsync(
            host, host.Settings(parsed), parsed.GetValue(Account), parsed.GetValue(Type), parsed.GetValue(Limit), parsed.GetValue(Json)));
        return command;
    }
}
