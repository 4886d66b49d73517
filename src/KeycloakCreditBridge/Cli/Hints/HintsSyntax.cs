using System.CommandLine;

namespace KeycloakCreditBridge.Cli.Hints;

/// <summary>The command `hints` and its options.</summary>
internal static class HintsSyntax
{
    private static readonly Option<string?> Realm = new("--realm") { Description = "Only this realm; all without it.", HelpName = "NAME" };

    private static readonly Option<string> ExactRealm = new("--realm") { Description = "The realm.", HelpName = "NAME", Required = true };

    private static readonly Option<string[]> Users = new("--user") { Description = "A Keycloak id, exactly. Repeatable.", HelpName = "ID" };

    private static readonly Option<string[]> ExactUsers = new("--user")
    {
        Description = "A Keycloak id, exactly. Repeatable.", HelpName = "ID", Required = true,
    };

    private static readonly Option<bool> Dead = new("--dead") { Description = "Only dead hints, which are not retried." };

    private static readonly Option<bool> Waiting = new("--waiting") { Description = "Only waiting hints." };

    private static readonly Option<bool> AllDead = new("--all-dead") { Description = "All dead hints." };

    private static readonly Option<bool> Json = ResultSyntax.Json("hint");

    private static readonly Option<int> Limit = ResultSyntax.Limit();

    public static Command Command(CommandHost host) =>
        new("hints", "Show hints, which are users waiting to be evaluated, and repair dead ones. Needs PostgreSQL only.")
    {
        List(host), Retry(host), Drop(host),
    };

    private static Command List(CommandHost host)
    {
        var command = new Command("list", "Show hints: dead ones first, then the oldest first.") { Realm, Dead, Waiting, Limit, Json };
        command.Validators.Add(result =>
        {
            if (result.GetValue(Dead) && result.GetValue(Waiting))
                result.AddError("--dead and --waiting exclude each other; without either both are shown.");
        });
        command.SetAction((parsed, _) => HintsCommand.ListAsync(
            host, host.Settings(parsed), parsed.GetValue(Realm), State(parsed), parsed.GetValue(Limit), parsed.GetValue(Json)));
        return command;
    }

    private static Command Retry(CommandHost host)
    {
        var command = new Command("retry", "Retry hints at once, as if they were new, after their cause was removed.")
        {
            Realm, Users, AllDead, Json,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(AllDead) == result.GetValue(Users) is { Length: > 0 })
                result.AddError("Name the hints: --user ID, as often as needed, or --all-dead.");
        });
        command.SetAction((parsed, _) => HintsCommand.RetryAsync(
            host, host.Settings(parsed), parsed.GetValue(Realm), parsed.GetValue(Users) ?? [], parsed.GetValue(AllDead),
            parsed.GetValue(Json)));
        return command;
    }

    private static Command Drop(CommandHost host)
    {
        var command = new Command(
            "drop", "Delete hints of users that need no evaluation. Prints what is lost, and writes an audit row for each.")
        {
            ExactRealm, ExactUsers, Json,
        };
        command.SetAction((parsed, _) => HintsCommand.DropAsync(
            host, host.Settings(parsed), parsed.GetRequiredValue(ExactRealm), parsed.GetRequiredValue(ExactUsers), parsed.GetValue(Json)));
        return command;
    }

    private static string? State(ParseResult parsed) =>
        parsed.GetValue(Dead) ? "dead" : parsed.GetValue(Waiting) ? "waiting" : null;
}
