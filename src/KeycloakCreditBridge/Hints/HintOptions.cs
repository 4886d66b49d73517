using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Hints;

/// <summary>How hints are processed.</summary>
internal sealed class HintOptions
{
    public const string Section = "Hints";

    /// <summary>How many hints one worker takes at once, 1 to 10,000.</summary>
    public int BatchSize { get; set; } = 200;

    /// <summary>How long a worker keeps what it took; then another one may take it over.</summary>
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long the sender of an event waits at most for its user's account; then the hint is stored. Zero stores it at once.
    /// </summary>
    public TimeSpan ConvergeWithin { get; set; }

    /// <summary>How many users one worker reads from Keycloak at the same time, 1 to 64.</summary>
    public int Readers { get; set; } = 8;

    /// <summary>How often a hint is tried before it is dead.</summary>
    public int MaxAttempts { get; set; } = 10;

    /// <summary>How long a user that Keycloak does not know may still appear: some senders report before they commit.</summary>
    public TimeSpan MissingGrace { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a user is not re-evaluated when it is merely seen.</summary>
    public TimeSpan RecheckAfter { get; set; } = TimeSpan.FromDays(1);
}

internal sealed class HintOptionsValidator : IValidateOptions<HintOptions>
{
    // Senders are answered within 10 s, also where the hint is stored after the wait.
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);

    public ValidateOptionsResult Validate(string? name, HintOptions options)
    {
        List<string> problems = [];
        if (options.BatchSize is < 1 or > 10_000)
            problems.Add($"Hints:BatchSize is {options.BatchSize}: choose 1 to 10000.");
        if (options.Lease < TimeSpan.FromSeconds(1))
            problems.Add($"Hints:Lease is {options.Lease}: choose at least 00:00:01.");
        if (options.ConvergeWithin < TimeSpan.Zero || options.ConvergeWithin > LongestWait)
        {
            problems.Add(
                $"Hints:ConvergeWithin is {options.ConvergeWithin}: choose 00:00:00, which stores hints at once, to {LongestWait}.");
        }

        if (options.Readers is < 1 or > 64)
            problems.Add($"Hints:Readers is {options.Readers}: choose 1 to 64.");
        if (options.MaxAttempts < 1)
            problems.Add($"Hints:MaxAttempts is {options.MaxAttempts}: choose at least 1.");
        if (options.MissingGrace < TimeSpan.Zero)
            problems.Add($"Hints:MissingGrace is {options.MissingGrace}: choose 00:00:00 or more.");
        if (options.RecheckAfter < TimeSpan.Zero)
            problems.Add($"Hints:RecheckAfter is {options.RecheckAfter}: choose 00:00:00 or more.");
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }
}
