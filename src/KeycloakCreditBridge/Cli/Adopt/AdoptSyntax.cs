using System.CommandLine;
using KeycloakCreditBridge.Adoption;

namespace KeycloakCreditBridge.Cli.Adopt;

/// <summary>The command `adopt` and its options.</summary>
internal static class AdoptSyntax
{
    private const string Description =
        """
        Give accounts that were in the database before the bridge to their owners in Keycloak, join the accounts of one user, and make
        each ledger add up to its balance. The service waits until this is done. --plan shows what there is to do and changes nothing.
        Safe to run again at any time, also beside the service and other writers. The same command resumes an interrupted run.
        """;

    private static readonly Option<bool> Plan = new("--plan")
    {
        Description = "Show what would be done and end, with 0 when that is nothing, otherwise with 1.",
    };

    private static readonly Option<bool> Apply = new("--apply") { Description = "Adopt the accounts." };

    private static readonly Option<bool> TrustAddresses = new("--trust-addresses")
    {
        Description = "Accept unverified e-mail addresses as proof of ownership.",
    };

    private static readonly Option<int> Limit = Number("--limit", "How many examples of each finding are shown.", 5, least: 0);

    private static readonly Option<int> Batch = Number("--batch", "Users per transaction.", 1000, least: 1);

    private static readonly Option<bool> Json = ResultSyntax.Json("run");

    public static Command Command(CommandHost host)
    {
        var command = new Command("adopt", Description) { Plan, Apply, TrustAddresses, Limit, Batch, Json };
        command.Validators.Add(result =>
        {
            if (result.GetValue(Plan) == result.GetValue(Apply))
                result.AddError("Choose one: adopt --plan, which writes nothing, or adopt --apply.");
        });
        command.SetAction((parsed, _) => AdoptCommand.RunAsync(
            host, host.Settings(parsed), parsed.GetValue(Apply),
            new AdoptionOptions(parsed.GetValue(TrustAddresses), parsed.GetValue(Limit), parsed.GetValue(Batch)), parsed.GetValue(Json)));
        return command;
    }

    private static Option<int> Number(string name, string description, int usual, int least) => new(name)
    {
        Description = description,
        HelpName = "N",
        DefaultValueFactory = _ => usual,
        Validators =
        {
            result =>
            {
                if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out var number) && number < least)
                    result.AddError($"{name} {number} is too small: choose {least} or more.");
            },
        },
    };
}
