using System.CommandLine;
using KeycloakCreditBridge.Cli.Arguments;
using KeycloakCreditBridge.Reconciliation;

namespace KeycloakCreditBridge.Cli.Reconcile;

/// <summary>The options of `reconcile` and `backfill`.</summary>
internal static class ReconcileSyntax
{
    private const string ReconcileDescription =
        """
        Find Keycloak users without an account and create their accounts. Safe at any time, also beside the running service. One run per
        realm at a time; a stopped or failed run is resumed by the same command within a day.
        """;

    private const string BackfillDescription =
        """
        Like reconcile, and re-evaluate users that have their accounts: for the first start on an existing realm, after a change of
        rules, or for one user with --user. Nothing is ever granted twice.
        """;

    private static readonly Option<string[]> Realm = new("--realm")
    {
        Description = "A realm; all configured ones without it. Repeatable.",
        HelpName = "NAME",
    };

    private static readonly Option<DateTimeOffset?> Since = new("--since")
    {
        Description = "Only users created since this date or instant (UTC without an offset): 2026-01-31, 2026-01-31T08:00:00Z.",
        HelpName = "WHEN",
        CustomParser = InstantArgument.Parse,
    };

    private static readonly Option<string[]> User = new("--user")
    {
        Description = "Only this user, by id, user name or e-mail address. Repeatable.",
        HelpName = "USER",
    };

    private static readonly Option<string> Mode = new Option<string>("--mode")
    {
        Description =
            "How the realm is read: counts (only where Keycloak counts other users than are on record), windows (by creation), " +
            "list (by name), database (Keycloak's, if it is configured), auto (completely, in the cheapest way that the server supports).",
        DefaultValueFactory = _ => "auto",
    }.AcceptOnlyFromAmong("auto", "counts", "windows", "list", "database");

    private static readonly Option<int?> AllowClosing = new("--allow-closing")
    {
        Description = "Close up to N accounts of deleted users, even where that exceeds Reconciliation:ClosingShare.",
        HelpName = "N",
    };

    private static readonly Option<bool> Tasks = new("--tasks")
    {
        Description =
            "Read only users who may still earn credits by a task, each by id and Grants:TasksPerSecond at most, and pay what is due.",
    };

    private static readonly Option<bool> DryRun = new("--dry-run")
    {
        Description = "Only count what would be done, such as missing accounts, and write nothing.",
    };

    private static readonly Option<bool> Json = ResultSyntax.Json("realm");

    public static Command Reconcile(CommandHost host)
    {
        var command = Command("reconcile", ReconcileDescription, reEvaluate: false, host);
        command.Add(Tasks);
        command.Validators.Add(result =>
        {
            Option[] others = [Since, User, AllowClosing, Mode];
            if (result.GetValue(Tasks)
                && Array.Find(others, option => result.GetResult(option) is { Implicit: false }) is { } other)
                result.AddError($"--tasks cannot be combined with {other.Name}.");
        });
        return command;
    }

    public static Command Backfill(CommandHost host) => Command("backfill", BackfillDescription, reEvaluate: true, host);

    private static Command Command(string name, string description, bool reEvaluate, CommandHost host)
    {
        var command = new Command(name, description) { Realm, Since, User, Mode, AllowClosing, DryRun, Json };
        command.SetAction((parsed, _) => !reEvaluate && parsed.GetValue(Tasks)
            ? TasksCommand.RunAsync(
                host, host.Settings(parsed), parsed.GetValue(Realm) ?? [], parsed.GetValue(DryRun), parsed.GetValue(Json))
            : ReconcileCommand.RunAsync(
                host,
                new ReconcileArguments(
                    host.Settings(parsed), parsed.GetValue(Realm) ?? [], parsed.GetValue(Since), parsed.GetValue(User) ?? [],
                    parsed.GetValue(DryRun), parsed.GetValue(Json), reEvaluate,
                    Enum.Parse<ReconcileMode>(parsed.GetValue(Mode)!, ignoreCase: true), parsed.GetValue(AllowClosing)),
                Console.Out,
                Console.Error));
        return command;
    }
}
