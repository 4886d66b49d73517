namespace KeycloakCreditBridge.Benchmarks.Measurement;

/// <summary>One line of the table.</summary>
/// <param name="Work">What was done.</param>
/// <param name="Ours">What the bridge needed, with unit and spread.</param>
/// <param name="Reference">What the reference needed in the same run; empty where there is none.</param>
/// <param name="Ratio">Ours against the reference, above 1 where the bridge is faster.</param>
internal sealed record Result(string Work, string Ours, string Reference = "", double? Ratio = null)
{
    public static void Print(IEnumerable<Result> results)
    {
        Console.WriteLine("| work | bridge | reference in the same run | ratio |");
        Console.WriteLine("|---|---|---|---|");
        foreach (var (work, ours, reference, ratio) in results)
            Console.WriteLine(
                FormattableString.Invariant($"| {work} | {ours} | {reference} | {(ratio is { } value ? $"{value:0.00}" : "")} |"));
    }
}
