using System.CommandLine;

namespace KeycloakCreditBridge.Cli.Account;

/// <summary>The command `account` and its options.</summary>
internal static class AccountSyntax
{
    private const string Show =
        """
        Show all that is known of a user: account, latest ledger and audit rows, hint, the user in Keycloak now, and the reason for the
        account's state. While Keycloak is away it finds ids only, and shows what is on record.
        """;

    private static readonly Argument<string> User = new("USER") { Description = "Keycloak id, user name or e-mail address." };

    private static readonly Option<string?> Realm = new("--realm")
    {
        Description = "Only this realm; all configured ones without it.",
        HelpName = "NAME",
    };

    private static readonly Option<bool> Json = ResultSyntax.Json("user");

    public static Command Command(CommandHost host)
    {
        var show = new Command("show", Show) { User, Realm, Json };
        show.SetAction((parsed, _) => AccountCommand.ShowAsync(
            host, host.Settings(parsed), parsed.GetRequiredValue(User), parsed.GetValue(Realm), parsed.GetValue(Json)));
        return new Command("account", "Look up an account.") { show };
    }
}
