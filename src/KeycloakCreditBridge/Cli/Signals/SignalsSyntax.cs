using System.CommandLine;
using KeycloakCreditBridge.Grants.Review.Signals.Addresses;
using KeycloakCreditBridge.Grants.Review.Signals.Domains;

namespace KeycloakCreditBridge.Cli.Signals;

/// <summary>The command `signals`: what operators say of domains and addresses.</summary>
internal static class SignalsSyntax
{
    private const string Forget =
        """
        Delete all that signals keep of the users of an address and its inbox. Users that come later are not compared with them any more.
        Needs PostgreSQL only.
        """;

    private static readonly Argument<string> Subject = new("SUBJECT")
    {
        Description = "A domain such as example.com, with all below it, or a whole e-mail address, with all of its inbox.",
    };

    private static readonly Argument<string> Address = new("ADDRESS") { Description = "The whole e-mail address." };

    private static readonly Option<string?> Note = new("--note") { Description = "Why, for others who read the list.", HelpName = "TEXT" };

    private static readonly Option<int> Limit = ResultSyntax.Limit();

    private static readonly Option<bool> Json = ResultSyntax.Json("entry");

    public static Command Command(CommandHost host)
    {
        var list = new Command("list", "Show which domains and addresses are allowed or denied.") { Limit, Json };
        list.SetAction((parsed, _) =>
            SignalsCommand.ListAsync(host, host.Settings(parsed), parsed.GetValue(Limit), parsed.GetValue(Json)));
        var forget = new Command("forget", Forget) { Address, Json };
        forget.Validators.Add(result => Check(result.GetValue(Address), isDomainToo: false, result.AddError));
        forget.SetAction((parsed, _) =>
            SignalsCommand.ForgetAsync(host, host.Settings(parsed), parsed.GetRequiredValue(Address), parsed.GetValue(Json)));
        return new Command("signals", "Look after domains and addresses that signals of abuse know.")
        {
            list,
            Verdict(host, "allow", "Allow a domain that is listed as disposable, or an address, which no signal counts against any more."),
            Verdict(host, "deny", "Deny a domain as if it were listed as disposable, or an address."),
            Remove(host),
            forget,
        };
    }

    private static Command Verdict(CommandHost host, string verdict, string description)
    {
        var command = new Command(verdict, $"{description} Needs PostgreSQL only.") { Subject, Note, Json };
        command.Validators.Add(result => Check(result.GetValue(Subject), isDomainToo: true, result.AddError));
        command.SetAction((parsed, _) => SignalsCommand.SetAsync(
            host, host.Settings(parsed), parsed.GetRequiredValue(Subject), verdict, parsed.GetValue(Note), parsed.GetValue(Json)));
        return command;
    }

    private static Command Remove(CommandHost host)
    {
        var command = new Command("remove", "Remove what was said of a domain or an address. Needs PostgreSQL only.") { Subject, Json };
        command.Validators.Add(result => Check(result.GetValue(Subject), isDomainToo: true, result.AddError));
        command.SetAction((parsed, _) =>
            SignalsCommand.RemoveAsync(host, host.Settings(parsed), parsed.GetRequiredValue(Subject), parsed.GetValue(Json)));
        return command;
    }

    private static void Check(string? subject, bool isDomainToo, Action<string> fail)
    {
        var isAddress = subject?.Contains('@', StringComparison.Ordinal) == true;
        if (isAddress && AddressParts.Of(subject).Inbox is null)
            fail($"{subject} is no e-mail address: give it whole, such as ana@example.com.");
        else if (!isAddress && !isDomainToo)
            fail("ADDRESS is no e-mail address: give it whole, such as ana@example.com.");
        else if (!isAddress && !DomainList.IsDomain(DomainList.Normal(subject ?? "")))
            fail($"{subject} is no domain that users have: give one such as example.com, or a whole e-mail address.");
    }
}
