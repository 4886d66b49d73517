using System.CommandLine;
using System.CommandLine.Parsing;
using KeycloakCreditBridge.Cli.Arguments;
using KeycloakCreditBridge.Cli.Grants.Policies;
using KeycloakCreditBridge.Grants.Lots;

namespace KeycloakCreditBridge.Cli.Grants;

/// <summary>The command `grants` and its options.</summary>
internal static class GrantsSyntax
{
    private const int LongestReason = 500;
    private const int Years = 10;

    private static readonly string[] Reaches = ["stop", "others", "all"];

    private static readonly Argument<string> User = new("USER") { Description = "Keycloak id, user name or e-mail address." };

    private static readonly Argument<string> Key = new("KEY") { Description = "The grant's key, as the list shows it." };

    private static readonly Argument<string?> VoidedUser = new("USER")
    {
        Description = "Keycloak id, user name or e-mail address.", Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Argument<string?> VoidedKey = new("KEY")
    {
        Description = "The grant's key, as the list shows it.", Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> Policy = new("--policy")
    {
        Description = "Instead of one grant, all that this policy gave: welcome, or task: and a task's name.", HelpName = "NAME",
    };

    private static readonly Option<DateTimeOffset[]?> Between = new("--between")
    {
        Description = "With --policy: given since the first of two times and before the second one, UTC without an offset.",
        HelpName = "FROM UNTIL",
        Arity = new ArgumentArity(2, 2),
        AllowMultipleArgumentsPerToken = true,
        CustomParser = InstantArgument.ParseRange,
    };

    private static readonly Option<long?> Confirm = new("--confirm")
    {
        Description = "With --policy: how many grants these are. Without it they are counted only.", HelpName = "GRANTS",
    };

    private static readonly Option<string?> Realm = new("--realm")
    {
        Description = "Only this realm; all configured ones without it.",
        HelpName = "NAME",
    };

    private static readonly Option<bool> Json = ResultSyntax.Json("grant");

    private static readonly Option<string> Reason = new("--reason")
    {
        Description = "Why, for the audit log.",
        HelpName = "TEXT",
        Required = true,
        Validators =
        {
            result =>
            {
                if (result.GetValueOrDefault<string>() is not { Length: > 0 and <= LongestReason })
                    result.AddError($"--reason takes 1 to {LongestReason} characters.");
            },
        },
    };

    private static readonly Option<string> Beyond = new Option<string>("--beyond")
    {
        Description =
            "Where what was spent of the grant is taken from: stop, nowhere; others, other promotional grants; all, bought credits too, "
            + "and then the balance goes below zero.",
        DefaultValueFactory = _ => Reaches[0],
    }.AcceptOnlyFromAmong(Reaches);

    private static readonly Option<DateTimeOffset?> Until = new("--until")
    {
        Description = "The new end, UTC without an offset: 2026-12-31, 2026-12-31T08:00:00Z. One that is past ends the grant at once.",
        HelpName = "WHEN",
        CustomParser = End,
    };

    private static readonly Option<bool> NoEnd = new("--no-end") { Description = "The grant does not end." };

    private static readonly Option<int?> Priority = new("--priority")
    {
        Description = "0 to 100; grants of a lower one are spent first.",
        HelpName = "N",
        Validators =
        {
            result =>
            {
                if (result.Tokens.Count == 1 && (!int.TryParse(result.Tokens[0].Value, out var priority) || priority is < 0 or > 100))
                    result.AddError($"--priority {result.Tokens[0].Value} is no whole number from 0 to 100.");
            },
        },
    };

    public static Command Command(CommandHost host) =>
        new("grants", "Review the grants of an account, take grants back, move the end of one, and look after policies.")
        {
            List(host), Explain(host), Void(host), Extend(host), PolicySyntax.Apply(host), PolicySyntax.Disable(host),
            PolicySyntax.Enable(host), TrialCommand.Command(host), InviteCommand.Command(host),
        };

    private static Command List(CommandHost host)
    {
        var command = new Command("list", "Show an account's grants with what is left of each and when it ends, the latest first.")
        {
            User, Realm, Json,
        };
        command.SetAction((parsed, _) => GrantsCommand.ListAsync(host, host.Settings(parsed), Named(parsed), parsed.GetValue(Json)));
        return command;
    }

    private static Command Explain(CommandHost host)
    {
        var command = new Command("explain", "Show what policies gave an account, what it can still earn, and what each of these lacks.")
        {
            User, Realm, Json,
        };
        command.SetAction((parsed, _) => ExplainCommand.RunAsync(host, host.Settings(parsed), Named(parsed), parsed.GetValue(Json)));
        return command;
    }

    private static Command Void(CommandHost host)
    {
        var command = new Command(
            "void",
            "Take back what is left of a grant, or of all that a policy gave within a time. A grant is voided once, and its key is never "
            + "granted again.")
        {
            VoidedUser, VoidedKey, Reason, Beyond, Policy, Between, Confirm, Realm, Json,
        };
        command.Validators.Add(result =>
        {
            var (key, policy) = (result.GetValue(VoidedKey), result.GetValue(Policy));
            if (policy is null ? key is null : result.GetValue(VoidedUser) is not null)
                result.AddError("Name the grant: USER and KEY, or --policy NAME with --between FROM UNTIL.");
            else if ((policy is null) != (result.GetResult(Between) is null))
                result.AddError("--policy and --between belong together.");
            else if (policy is null && result.GetResult(Confirm) is not null)
                result.AddError("--confirm belongs to --policy.");
        });
        command.SetAction((parsed, _) =>
        {
            var (reach, reason) = (Array.IndexOf(Reaches, parsed.GetValue(Beyond)), parsed.GetRequiredValue(Reason));
            return parsed.GetValue(Policy) is { } policy
                ? PolicyCommand.VoidAsync(
                    host, host.Settings(parsed), new NamedPolicy(policy, parsed.GetValue(Realm)),
                    new PolicyVoidWish(
                        parsed.GetValue(Between)![0], parsed.GetValue(Between)![1], (VoidReach)reach, reason, parsed.GetValue(Confirm)),
                    parsed.GetValue(Json))
                : GrantsCommand.VoidAsync(
                    host, host.Settings(parsed), new NamedUser(parsed.GetValue(VoidedUser)!, parsed.GetValue(Realm)),
                    parsed.GetValue(VoidedKey)!, reach, reason, parsed.GetValue(Json));
        });
        return command;
    }

    private static Command Extend(CommandHost host)
    {
        var command = new Command("extend", "Move the end of a grant that has not ended, or change its priority.")
        {
            User, Key, Until, NoEnd, Priority, Realm, Json,
        };
        command.Validators.Add(result =>
        {
            var (until, none) = (result.GetResult(Until) is not null, result.GetValue(NoEnd));
            if (until && none)
                result.AddError("--until and --no-end exclude each other.");
            if (!until && !none && result.GetResult(Priority) is null)
                result.AddError("Say what changes: --until WHEN or --no-end, --priority N, or both.");
        });
        command.SetAction((parsed, _) => GrantsCommand.ExtendAsync(
            host, host.Settings(parsed), Named(parsed), parsed.GetRequiredValue(Key),
            new ExtensionWish(parsed.GetValue(Until), parsed.GetValue(NoEnd), parsed.GetValue(Priority)), parsed.GetValue(Json)));
        return command;
    }

    private static NamedUser Named(ParseResult parsed) => new(parsed.GetRequiredValue(User), parsed.GetValue(Realm));

    private static DateTimeOffset? End(ArgumentResult result)
    {
        var end = InstantArgument.Parse(result);
        if (end > TimeProvider.System.GetUtcNow().AddYears(Years))
            result.AddError($"--until is more than {Years} years ahead: choose an earlier end, or --no-end.");
        return end;
    }
}

/// <param name="Realm">Only this realm; null for all configured ones.</param>
internal sealed record NamedUser(string User, string? Realm);

/// <summary>What `grants extend` changes.</summary>
/// <param name="Until">The new end; null where it stays or <paramref name="NoEnd"/> takes it away.</param>
internal sealed record ExtensionWish(DateTimeOffset? Until, bool NoEnd, int? Priority);
