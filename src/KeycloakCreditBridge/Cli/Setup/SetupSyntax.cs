using System.CommandLine;
using System.CommandLine.Parsing;
using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Cli.Setup;

/// <summary>The command `setup` and its options.</summary>
internal static class SetupSyntax
{
    private const string SetupKeycloak =
        """
        Give each configured realm of Keycloak what the bridge needs: a client with the configured secret and the roles view-users and
        view-events, stored events, and the webhook if Phase Two's plugin is installed. Shows the changes, asks, and leaves alone what is
        right already. Needs an administrator's credentials once and stores them nowhere. Safe to run again at any time.
        """;

    private static readonly Option<int> Retention = new("--retention")
    {
        Description = "Minimum days that events are kept; a longer setting in Keycloak stays.",
        HelpName = "DAYS",
        DefaultValueFactory = _ => 30,
        Validators = { CheckDays },
    };

    private static readonly Option<bool> NoWebhook = new("--no-webhook")
    {
        Description = "Use polling only, even if Keycloak has the webhook plugin.",
    };

    private static readonly Option<bool> DryRun = new("--dry-run")
    {
        Description = "Show the plan and end, with 0 when there is nothing to do, otherwise with 1.",
    };

    private static readonly Option<bool> Yes = new("--yes") { Description = "Do not ask for confirmation; needed without a terminal." };

    private static readonly Option<bool> Undo = new("--undo") { Description = "Remove what setup created, and nothing else." };

    private static readonly Option<bool> Json = ResultSyntax.Json("realm");

    /// <summary>Replaces Intake:Webhook:Url.</summary>
    public static Option<string?> NewWebhookUrl() => new("--webhook-url")
    {
        Description = "The address at which Keycloak reaches the bridge, such as http://bridge:8085, instead of Intake:Webhook:Url.",
        HelpName = "URL",
    };

    public static Command Command(CommandHost host)
    {
        var webhookUrl = NewWebhookUrl();
        var keycloak = new Command("keycloak", SetupKeycloak) { webhookUrl, NoWebhook, Retention, DryRun, Yes, Undo, Json };
        AdministratorSyntax.AddTo(keycloak);
        keycloak.SetAction((parsed, _) => SetupCommand.RunAsync(
            host,
            new SetupArguments(
                [.. host.Settings(parsed), .. Setting(parsed.GetValue(webhookUrl))],
                AdministratorSyntax.Parse(parsed) ?? throw new ConfigurationException(
                    ["Name an administrator of Keycloak: --admin-user NAME, or --admin-client ID."]),
                TimeSpan.FromDays(parsed.GetValue(Retention)), parsed.GetValue(NoWebhook), parsed.GetValue(DryRun), parsed.GetValue(Yes),
                parsed.GetValue(Undo), parsed.GetValue(Json))));
        return new Command("setup", "Prepare Keycloak for the bridge.") { keycloak };
    }

    /// <summary>The option as a setting that wins over others.</summary>
    public static IEnumerable<string> Setting(string? webhookUrl) => webhookUrl is null ? [] : [$"--Intake:Webhook:Url={webhookUrl}"];

    private static void CheckDays(OptionResult result)
    {
        if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out var days) && days is < 1 or > 3650)
            result.AddError($"--retention {days} is no number of days to keep events: choose 1 to 3650.");
    }
}
