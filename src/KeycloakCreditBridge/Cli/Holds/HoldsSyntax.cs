using System.CommandLine;
using KeycloakCreditBridge.Grants.Review.Holds;

namespace KeycloakCreditBridge.Cli.Holds;

/// <summary>The command `holds` and its options.</summary>
internal static class HoldsSyntax
{
    private const int HighestScore = 100;

    private static readonly Argument<Guid> Id = new("ID") { Description = "The hold's id, as the list shows it." };

    private static readonly Argument<Guid?> OptionalId = new("ID")
    {
        Description = "The hold's id, as the list shows it. Without it the options say which undecided holds are meant.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> Realm = new("--realm")
    {
        Description = "Only this realm; all configured ones without it.", HelpName = "NAME",
    };

    private static readonly Option<string?> State = new Option<string?>("--state") { Description = "Only holds in this state." }
        .AcceptOnlyFromAmong([.. Enum.GetValues<HoldState>().Select(HoldMoves.Name)]);

    private static readonly Option<string?> Account = new("--account") { Description = "Only those of this account.", HelpName = "ID" };

    private static readonly Option<string?> Policy = new("--policy")
    {
        Description = "Only grants of this policy, such as welcome.", HelpName = "NAME",
    };

    private static readonly Option<string?> Signal = new("--signal")
    {
        Description = "Only holds that this signal is recorded with.", HelpName = "NAME",
    };

    private static readonly Option<int> AtLeast = new("--at-least")
    {
        Description = "Only holds with this score or a higher one.",
        HelpName = "SCORE",
        Validators =
        {
            result =>
            {
                if (result.GetValueOrDefault<int>() is < 0 or > HighestScore)
                    result.AddError($"--at-least takes 0 to {HighestScore}.");
            },
        },
    };

    private static readonly Option<bool> Appealed = new("--appealed") { Description = "Only holds whose user made an appeal." };

    private static readonly Option<string?> Note = new("--note")
    {
        Description = "Why, for the record.",
        HelpName = "TEXT",
        Validators =
        {
            result =>
            {
                if (result.GetValueOrDefault<string?>() is { Length: 0 or > HoldDecision.LongestNote })
                    result.AddError($"--note takes 1 to {HoldDecision.LongestNote} characters.");
            },
        },
    };

    private static readonly Option<int?> Version = new("--if-version")
    {
        Description = "Decide only this version of the hold; the present one without it.", HelpName = "N",
    };

    private static readonly Option<long?> Confirm = new("--confirm")
    {
        Description = "How many holds these are. Without it they are counted only.", HelpName = "HOLDS",
    };

    private static readonly Option<bool> Json = ResultSyntax.Json("hold");

    private static readonly Option<bool> DecisionJson = ResultSyntax.Json("decision");

    private static readonly Option<int> Limit = ResultSyntax.Limit();

    public static Command Command(CommandHost host) =>
        new("holds", "Review grants that are held back, and decide them.")
        {
            List(host), Show(host), Decide(host, "approve", HoldState.Approved, "Pay held grants: what they came to at the hold."),
            Decide(host, "reject", HoldState.Rejected, "Refuse held grants: nothing pays them any more. Accounts stay as they are."),
        };

    private static Command List(CommandHost host)
    {
        var command = new Command("list", "Show held grants: undecided ones first, of these appeals, then the oldest.")
        {
            State, Account, Policy, Signal, AtLeast, Appealed, Realm, Limit, Json,
        };
        command.SetAction((parsed, _) => HoldsCommand.ListAsync(
            host, host.Settings(parsed), parsed.GetValue(Realm), FilterOf(parsed), parsed.GetValue(Limit), parsed.GetValue(Json)));
        return command;
    }

    private static Command Show(CommandHost host)
    {
        var command = new Command("show", "Show one held grant with what speaks against it, and its user's appeal.") { Id, Realm, Json };
        command.SetAction((parsed, _) => HoldsCommand.ShowAsync(
            host, host.Settings(parsed), parsed.GetValue(Realm), parsed.GetValue(Id), parsed.GetValue(Json)));
        return command;
    }

    private static Command Decide(CommandHost host, string name, HoldState to, string description)
    {
        var command = new Command(name, description)
        {
            OptionalId, Version, Note, Account, Policy, Signal, AtLeast, Appealed, Confirm, Realm, DecisionJson,
        };
        command.SetAction((parsed, _) => parsed.GetValue(OptionalId) is { } id
            ? HoldsCommand.DecideAsync(
                host, host.Settings(parsed), parsed.GetValue(Realm), id, to, parsed.GetValue(Version), parsed.GetValue(Note),
                parsed.GetValue(DecisionJson))
            : HoldsCommand.DecideManyAsync(
                host, host.Settings(parsed), parsed.GetValue(Realm), FilterOf(parsed), to, parsed.GetValue(Confirm), parsed.GetValue(Note),
                parsed.GetValue(DecisionJson)));
        return command;
    }

    // The realms are known once the settings are read.
    private static HoldFilter FilterOf(ParseResult parsed) =>
        new([], parsed.CommandResult.Command.Name == "list" && parsed.GetValue(State) is { } state ? HoldMoves.Parse(state) : null)
        {
            Account = parsed.GetValue(Account), Policy = parsed.GetValue(Policy), Signal = parsed.GetValue(Signal),
            AtLeast = parsed.GetValue(AtLeast), Appealed = parsed.GetValue(Appealed),
        };
}
