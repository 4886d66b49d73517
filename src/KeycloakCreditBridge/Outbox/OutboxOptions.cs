using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Outbox;

/// <summary>Which events about credits are recorded for other programs.</summary>
internal sealed class OutboxOptions
{
    public const string Section = "Outbox";

    /// <summary>Whether events are recorded. Without it no trigger stands on any table.</summary>
    public bool Enabled { get; set; }

    /// <summary>How long events are kept, sent or not: 6 to 90 days.</summary>
    public TimeSpan Keep { get; set; } = TimeSpan.FromDays(7);

    /// <summary>
    /// Credits by tier: `credits.low` tells that a balance fell to them or below. A tier without an entry has no such event.
    /// </summary>
    public Dictionary<string, decimal> Low { get; set; } = new(StringComparer.Ordinal);

    /// <summary>What events give as their source; with it and the id a receiver knows an event for ever.</summary>
    public string Source { get; set; } = "/credit-bridge";

    /// <summary>Programs that events are sent to, by name.</summary>
    public Dictionary<string, EndpointOptions> Endpoints { get; set; } = new(StringComparer.Ordinal);
}

internal sealed class OutboxOptionsValidator : IValidateOptions<OutboxOptions>
{
    // A sink is given up after five days of failure: what it missed can be sent again then.
    private static readonly TimeSpan ShortestKeep = TimeSpan.FromDays(6);
    private static readonly TimeSpan LongestKeep = TimeSpan.FromDays(90);

    public ValidateOptionsResult Validate(string? name, OutboxOptions options)
    {
        List<string> problems = [];
        if (options.Keep < ShortestKeep || options.Keep > LongestKeep)
            problems.Add($"{OutboxOptions.Section}:Keep is {options.Keep}: choose 6.00:00:00 to 90.00:00:00.");
        problems.AddRange(options.Low.Where(low => low.Value <= 0m).Select(low =>
            $"{OutboxOptions.Section}:Low:{low.Key} is {low.Value}: give credits above 0; credits.exhausted tells of 0."));
        if (!Uri.TryCreate(options.Source, UriKind.RelativeOrAbsolute, out _) || options.Source.Length is 0 or > 200)
            problems.Add($"{OutboxOptions.Section}:Source is no URI: give one such as /credit-bridge or https://credits.example.com.");
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }
}
