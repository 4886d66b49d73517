using System.CommandLine;

namespace KeycloakCreditBridge.Cli;

/// <summary>Options that say how results are printed.</summary>
internal static class ResultSyntax
{
    /// <summary>`--json`, which every command has that ends: an object on each line. Problems stay on standard error.</summary>
    /// <param name="unit">What an object stands for.</param>
    public static Option<bool> Json(string unit) => new("--json") { Description = $"One JSON object per {unit} on standard output." };

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
