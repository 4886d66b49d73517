using System.CommandLine;

namespace KeycloakCreditBridge.Cli.Account;

/// <summary>The command `account` and its options.</summary>
internal static class AccountSyntax
{
    private static readonly Argument<string> User = new("USER") { Description = "Keycloak id, user name or e-mail address." };

    private static readonly Option<string?> Realm = new("--realm") { Description = "Only this realm; all configured ones without it.", HelpName = "NAME" };

    private static readonly Option<bool> Json = new("--json") { Description = "One JSON object a user on standard output." };

    public static Command Command(Func<ParseResult, string[]> settings)
    {
        var show = new Command("show", HelpText.AccountShow) { User, Realm, Json };
        show.SetAction((parsed, _) => AccountCommand.ShowAsync(
            settings(parsed), parsed.GetRequiredValue(User), parsed.GetValue(Realm), parsed.GetValue(Json)));
        return new Command("account", HelpText.Account) { show };
    }
}
