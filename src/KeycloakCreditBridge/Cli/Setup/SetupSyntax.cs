using System.CommandLine;
using System.CommandLine.Parsing;
using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Cli.Setup;

/// <summary>The command `setup` and its options.</summary>
internal static class SetupSyntax
{
    private static readonly Option<int> Retention = new("--retention")
    {
        Description = "Days that events are kept at least; what is kept longer stays so.",
        HelpName = "DAYS",
        DefaultValueFactory = _ => 30,
        Validators = { CheckDays },
    };

    private static readonly Option<bool> NoWebhook = new("--no-webhook") { Description = "Polling alone, though Keycloak has the webhook plugin." };

    private static readonly Option<bool> DryRun = new("--dry-run")
    {
        Description = "Show the plan and end: with 0 when there is nothing to do, otherwise with 1.",
    };

    private static readonly Option<bool> Yes = new("--yes") { Description = "Do not ask; needed where nobody can answer." };

    private static readonly Option<bool> Undo = new("--undo") { Description = "Take back what setup made, and nothing else." };

    /// <summary>Stands in for Intake:Webhook:Url.</summary>
    public static Option<string?> NewWebhookUrl() => new("--webhook-url")
    {
        Description = "The address at which Keycloak reaches the bridge, such as http://bridge:8080, instead of Intake:Webhook:Url.", HelpName = "URL",
    };

    public static Command Command(Func<ParseResult, string[]> settings)
    {
        var webhookUrl = NewWebhookUrl();
        var keycloak = new Command("keycloak", HelpText.SetupKeycloak) { webhookUrl, NoWebhook, Retention, DryRun, Yes, Undo };
        AdministratorSyntax.AddTo(keycloak);
        keycloak.SetAction((parsed, _) => SetupCommand.RunAsync(
            new SetupArguments(
                [.. settings(parsed), .. Setting(parsed.GetValue(webhookUrl))],
                AdministratorSyntax.Parse(parsed) ?? throw new ConfigurationException(["Say who sets Keycloak up: --admin-user NAME, or --admin-client ID."]),
                TimeSpan.FromDays(parsed.GetValue(Retention)), parsed.GetValue(NoWebhook), parsed.GetValue(DryRun), parsed.GetValue(Yes),
                parsed.GetValue(Undo))));
        return new Command("setup", HelpText.Setup) { keycloak };
    }

    /// <summary>The option as a setting that wins over others.</summary>
    public static IEnumerable<string> Setting(string? webhookUrl) => webhookUrl is null ? [] : [$"--Intake:Webhook:Url={webhookUrl}"];

    private static void CheckDays(OptionResult result)
    {
        if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out var days) && days is < 1 or > 3650)
            result.AddError($"--retention {days} is no number of days to keep events: choose 1 to 3650.");
    }
}
