using System.CommandLine;
using KeycloakCreditBridge.Adoption;

namespace KeycloakCreditBridge.Cli.Adopt;

/// <summary>The command `adopt` and its options.</summary>
internal static class AdoptSyntax
{
    private static readonly Option<bool> Plan = new("--plan") { Description = "Say what is to be done and end: with 0 when that is nothing, otherwise with 1." };

    private static readonly Option<bool> Apply = new("--apply") { Description = "Do it." };

    private static readonly Option<bool> TrustAddresses = new("--trust-addresses")
    {
        Description = "Take a person's address for theirs though nobody proved it.",
    };

    private static readonly Option<int> Limit = Number("--limit", "How many of each finding are named.", 5, least: 0);

    private static readonly Option<int> Batch = Number("--batch", "People a transaction.", 1000, least: 1);

    private static readonly Option<bool> Json = new("--json") { Description = "One JSON object on standard output, no progress." };

    public static Command Command(Func<ParseResult, string[]> settings)
    {
        var command = new Command("adopt", HelpText.Adopt) { Plan, Apply, TrustAddresses, Limit, Batch, Json };
        command.Validators.Add(result =>
        {
            if (result.GetValue(Plan) == result.GetValue(Apply))
                result.AddError("Say what to do: adopt --plan, which writes nothing, or adopt --apply.");
        });
        command.SetAction((parsed, _) => AdoptCommand.RunAsync(
            settings(parsed), parsed.GetValue(Apply),
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
                    result.AddError($"{name} {number} is too little: choose {least} or more.");
            },
        },
    };
}
