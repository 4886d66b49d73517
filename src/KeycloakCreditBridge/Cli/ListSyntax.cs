using System.CommandLine;

namespace KeycloakCreditBridge.Cli;

/// <summary>Options of every command that lists rows.</summary>
internal static class ListSyntax
{
    /// <summary>`--limit`: how many rows are shown at most, 100 by default.</summary>
    public static Option<int> Limit() => new("--limit")
    {
        Description = "The greatest number shown.",
        HelpName = "N",
        DefaultValueFactory = _ => 100,
        Validators =
        {
            result =>
            {
                if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out var limit) && limit < 1)
                    result.AddError($"--limit {limit} shows nothing: choose 1 or more.");
            },
        },
    };
}
