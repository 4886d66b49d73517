using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using KeycloakCreditBridge.Cli.Arguments;
using KeycloakCreditBridge.Grants.Claims;

namespace KeycloakCreditBridge.Cli.Codes;

/// <summary>The command `codes` and its options.</summary>
internal static class CodesSyntax
{
    private const int LongestReason = 500;

    private static readonly string[] Reaches = ["stop", "others", "all"];

    private static readonly string[] Onces = ["user", "email", "inbox"];

    private static readonly Argument<string> Name = new("NAME") { Description = "The campaign: a-z, 0-9, _ and -." };

    private static readonly Option<string?> Realm = new("--realm")
    {
        Description = "The campaign's realm; it may be left out where only one is configured.", HelpName = "NAME",
    };

    private static readonly Option<string?> OneRealm = new("--realm")
    {
        Description = "Only this realm; all configured ones without it.", HelpName = "NAME",
    };

    private static readonly Option<decimal> Credits = new("--credits")
    {
        Description = "What each redemption pays.", HelpName = "N", Required = true,
    };

    private static readonly Option<TimeSpan?> ExpiresAfter = new("--expires-after")
    {
        Description = "How long after its redemption a grant ends, such as 30.00:00:00; never without it.",
        HelpName = "TIME",
        CustomParser = Span,
    };

    private static readonly Option<DateTimeOffset?> Starts = new("--starts")
    {
        Description = "Codes are redeemed from then on, UTC without an offset; now without it.",
        HelpName = "WHEN",
        CustomParser = InstantArgument.Parse,
    };

    private static readonly Option<DateTimeOffset?> Ends = new("--ends")
    {
        Description = "Codes are redeemed before then, UTC without an offset; for ever without it.",
        HelpName = "WHEN",
        CustomParser = InstantArgument.Parse,
    };

    private static readonly Option<int> Count = new("--count")
    {
        Description = "How many codes, 1 to 10000.", HelpName = "N", DefaultValueFactory = _ => 1,
    };

    private static readonly Option<long?> MaxRedemptions = new("--max-redemptions")
    {
        Description = "How many users may redeem each code; 1 without it. A chosen code needs it.", HelpName = "N",
    };

    private static readonly Option<string?> Code = new("--code")
    {
        Description = "A chosen word instead of random codes: 4 to 32 characters A-Z, 0-9 and -.", HelpName = "WORD",
    };

    private static readonly Option<bool> VerifiedEmail = new("--verified-email")
    {
        Description = "A place is paid only once the user's address is verified; until then it is kept.",
    };

    private static readonly Option<string> Once = new Option<string>("--once")
    {
        Description = "What is paid once: user, an account; email, a verified address, also of another account; inbox, where it arrives.",
        DefaultValueFactory = _ => Onces[0],
    }.AcceptOnlyFromAmong(Onces);

    private static readonly Option<int?> Number = new("--number")
    {
        Description = "Only the code of this number, as it was printed; all without it.", HelpName = "N",
    };

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
            "Where what was spent of a grant is taken from: stop, nowhere; others, other promotional grants; all, bought credits too.",
        DefaultValueFactory = _ => Reaches[0],
    }.AcceptOnlyFromAmong(Reaches);

    private static readonly Option<bool> Release = new("--release")
    {
        Description = "Give the places of paid codes back, so that other users may redeem them.",
    };

    private static readonly Option<long?> Confirm = new("--confirm")
    {
        Description = "How many redemptions these are. Without it they are counted only.", HelpName = "REDEMPTIONS",
    };

    private static readonly Option<bool> CodeJson = ResultSyntax.Json("code");

    private static readonly Option<bool> CampaignJson = ResultSyntax.Json("campaign");

    public static Command Command(CommandHost host) => new("codes", "Make codes that users redeem for credits, count and disable them.")
    {
        Create(host), List(host), Show(host), Disable(host), Void(host),
    };

    private static Command Create(CommandHost host)
    {
        var command = new Command("create", "Make a campaign and print its codes as CSV. They are shown this once: only hashes are kept.")
        {
            Name, Credits, ExpiresAfter, Starts, Ends, Count, MaxRedemptions, Code, VerifiedEmail, Once, Realm, CodeJson,
        };
        command.SetAction((parsed, _) => CodesCommand.CreateAsync(
            host, host.Settings(parsed), Named(parsed),
            new CampaignWish(
                parsed.GetValue(Credits), parsed.GetValue(ExpiresAfter), parsed.GetValue(Starts), parsed.GetValue(Ends),
                parsed.GetValue(Count), parsed.GetValue(MaxRedemptions), parsed.GetValue(Code), parsed.GetValue(VerifiedEmail),
                (OncePer)Array.IndexOf(Onces, parsed.GetValue(Once))),
            parsed.GetValue(CodeJson)));
        return command;
    }

    private static Command List(CommandHost host)
    {
        var command = new Command("list", "Show campaigns with the counts of their codes, the oldest first.") { OneRealm, CampaignJson };
        command.SetAction((parsed, _) =>
            CodesCommand.ListAsync(host, host.Settings(parsed), parsed.GetValue(OneRealm), parsed.GetValue(CampaignJson)));
        return command;
    }

    private static Command Show(CommandHost host)
    {
        var command = new Command("show", "Show the codes of a campaign by their numbers, and how often each was redeemed.")
        {
            Name, Realm, CodeJson,
        };
        command.SetAction((parsed, _) =>
            CodesCommand.ShowAsync(host, host.Settings(parsed), Named(parsed), parsed.GetValue(CodeJson)));
        return command;
    }

    private static Command Disable(CommandHost host)
    {
        var command = new Command("disable", "End redemptions of a campaign's codes, or of one. What was redeemed stays.")
        {
            Name, Number, Realm, CampaignJson,
        };
        command.SetAction((parsed, _) => CodesCommand.DisableAsync(
            host, host.Settings(parsed), Named(parsed), parsed.GetValue(Number), parsed.GetValue(CampaignJson)));
        return command;
    }

    private static Command Void(CommandHost host)
    {
        var command = new Command(
            "void",
            "Take back what is left of a campaign's grants, and reject what waits. An account redeems a campaign once all the same.")
        {
            Name, Reason, Beyond, Release, Confirm, Realm, CampaignJson,
        };
        command.SetAction((parsed, _) => CodesCommand.VoidAsync(
            host, host.Settings(parsed), Named(parsed),
            new CampaignVoidWish(
                Array.IndexOf(Reaches, parsed.GetValue(Beyond)), parsed.GetRequiredValue(Reason), parsed.GetValue(Release),
                parsed.GetValue(Confirm)),
            parsed.GetValue(CampaignJson)));
        return command;
    }

    private static NamedCampaign Named(ParseResult parsed) => new(parsed.GetRequiredValue(Name), parsed.GetValue(Realm));

    private static TimeSpan? Span(ArgumentResult result)
    {
        var text = result.Tokens.Single().Value;
        if (TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var span))
            return span;
        result.AddError($"--expires-after {text} is not a time such as 30.00:00:00.");
        return null;
    }
}

/// <param name="Realm">Null where only one is configured.</param>
internal sealed record NamedCampaign(string Name, string? Realm);
