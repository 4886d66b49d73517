using System.CommandLine;
using KeycloakCreditBridge.Grants.Referrals;
using KeycloakCreditBridge.Grants.Referrals.Payments;

namespace KeycloakCreditBridge.Cli.Referrals;

/// <summary>The command `referrals` and its options.</summary>
internal static class ReferralsSyntax
{
    private const int LongestReason = 500;

    private static readonly string[] Sides = ["both", "referrer", "referee"];

    private static readonly Argument<Guid> Id = new("ID") { Description = "The referral's id, as the list shows it." };

    private static readonly Option<string?> Realm = new("--realm")
    {
        Description = "Only this realm; all configured ones without it.", HelpName = "NAME",
    };

    private static readonly Option<string?> State = new Option<string?>("--state") { Description = "Only referrals in this state." }
        .AcceptOnlyFromAmong([.. Enum.GetValues<ReferralState>().Select(ReferralMoves.Name)]);

    private static readonly Option<string?> Account = new("--account")
    {
        Description = "Only those of this account, as referrer or referee.", HelpName = "ID",
    };

    private static readonly Option<string> Side = new Option<string>("--who")
    {
        Description = "Whose credits are taken back.", DefaultValueFactory = _ => Sides[0],
    }.AcceptOnlyFromAmong(Sides);

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

    private static readonly Option<bool> Json = ResultSyntax.Json("referral");

    private static readonly Option<int> Limit = ResultSyntax.Limit();

    public static Command Command(CommandHost host) =>
        new("referrals", "Review which users brought others, and take back what that paid.") { List(host), Show(host), Reverse(host) };

    private static Command List(CommandHost host)
    {
        var command = new Command("list", "Show referrals, the latest first.") { State, Account, Realm, Limit, Json };
        command.SetAction((parsed, _) => ReferralsCommand.ListAsync(
            host, host.Settings(parsed), parsed.GetValue(Realm), parsed.GetValue(State), parsed.GetValue(Account),
            parsed.GetValue(Limit), parsed.GetValue(Json)));
        return command;
    }

    private static Command Show(CommandHost host)
    {
        var command = new Command("show", "Show one referral with what it paid and why it is in its state.") { Id, Realm, Json };
        command.SetAction((parsed, _) => ReferralsCommand.ShowAsync(
            host, host.Settings(parsed), parsed.GetValue(Realm), parsed.GetValue(Id), parsed.GetValue(Json)));
        return command;
    }

    private static Command Reverse(CommandHost host)
    {
        var command = new Command("reverse", "Take back what is left of what a referral paid, or cancel one that waits.")
        {
            Id, Side, Reason, Realm, Json,
        };
        command.SetAction((parsed, _) => ReferralsCommand.ReverseAsync(
            host, host.Settings(parsed), parsed.GetValue(Realm), parsed.GetValue(Id),
            (ReferralSide)Array.IndexOf(Sides, parsed.GetValue(Side)), parsed.GetRequiredValue(Reason), parsed.GetValue(Json)));
        return command;
    }
}
