using System.CommandLine;
using KeycloakCreditBridge.Cli.Arguments;

namespace KeycloakCreditBridge.Cli.Grants.Policies;

/// <summary>The commands of `grants` that concern policies.</summary>
internal static class PolicySyntax
{
    private static readonly Option<string> Policy = new("--policy")
    {
        Description = "welcome, or task: and a task's name.", HelpName = "NAME", Required = true,
    };

    private static readonly Option<string?> Realm = new("--realm")
    {
        Description = "Only this realm; all configured ones without it.", HelpName = "NAME",
    };

    private static readonly Option<DateTimeOffset?> CreatedAfter = new("--created-after")
    {
        Description = "Accounts that were opened since, UTC without an offset: 2026-12-31, 2026-12-31T08:00:00Z.",
        HelpName = "WHEN",
        CustomParser = InstantArgument.Parse,
        Required = true,
    };

    private static readonly Option<decimal> MaxCredits = new("--max-credits")
    {
        Description = "Nothing is done where these accounts can earn more in all.", HelpName = "N", Required = true,
    };

    private static readonly Option<long?> Confirm = new("--confirm")
    {
        Description = "How many accounts these are. Without it they are counted only.", HelpName = "ACCOUNTS",
    };

    private static readonly Option<bool> Json = ResultSyntax.Json("realm");

    public static Command Apply(CommandHost host)
    {
        var command = new Command(
            "apply", "Extend a policy to accounts that were opened before it was active. They earn what they meet the requirements of.")
        {
            Policy, CreatedAfter, MaxCredits, Confirm, Realm, Json,
        };
        command.SetAction((parsed, _) => PolicyCommand.ApplyAsync(
            host, host.Settings(parsed), Named(parsed),
            new ApplyWish(parsed.GetValue(CreatedAfter)!.Value, parsed.GetValue(MaxCredits), parsed.GetValue(Confirm)),
            parsed.GetValue(Json)));
        return command;
    }

    public static Command Disable(CommandHost host) =>
        Switch(host, "disable", "End new grants of a policy in all replicas at once. Ends of credits go on.", disables: true);

    public static Command Enable(CommandHost host) =>
        Switch(host, "enable", "Let a disabled policy give grants again, also those that came due meanwhile.", disables: false);

    private static Command Switch(CommandHost host, string name, string description, bool disables)
    {
        var command = new Command(name, description) { Policy, Realm, Json };
        command.SetAction((parsed, _) =>
            PolicyCommand.SwitchAsync(host, host.Settings(parsed), Named(parsed), disables, parsed.GetValue(Json)));
        return command;
    }

    private static NamedPolicy Named(ParseResult parsed) => new(parsed.GetRequiredValue(Policy), parsed.GetValue(Realm));
}
