using KeycloakCreditBridge.Hosting.Schedule;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Analytics;

/// <summary>How users are counted.</summary>
internal sealed class AnalyticsOptions
{
    public const string Section = "Analytics";

    /// <summary>Whether this replica rebuilds what is counted. Answers come from what was rebuilt last.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>When the last 35 days are rebuilt, as a cron expression of Quartz in UTC.</summary>
    public string Cron { get; set; } = "20 0/5 * * * ?";

    /// <summary>The time zone of days, by its IANA name. Another zone has all days rebuilt.</summary>
    public string TimeZone { get; set; } = "UTC";

    /// <summary>Groups of fewer users are shown as "&lt;5", so that no user is recognized; 1 shows all. 1 to 1,000.</summary>
    public int MinimumGroup { get; set; } = 5;
}

internal sealed class AnalyticsOptionsValidator : IValidateOptions<AnalyticsOptions>
{
    public ValidateOptionsResult Validate(string? name, AnalyticsOptions options)
    {
        List<string> problems = [];
        if (CronText.ProblemWith(options.Cron) is { } problem)
        {
            problems.Add(
                $"{AnalyticsOptions.Section}:Cron '{options.Cron}' is unusable: {problem}; write for example '20 0/5 * * * ?'.");
        }


        if (!TimeZoneInfo.TryFindSystemTimeZoneById(options.TimeZone, out var zone) || !zone.HasIanaId)
        {
            problems.Add(
                $"{AnalyticsOptions.Section}:TimeZone '{options.TimeZone}' is no known time zone: "
                + "give an IANA name such as Europe/Berlin.");
        }

        if (options.MinimumGroup is < 1 or > 1_000)
            problems.Add($"{AnalyticsOptions.Section}:MinimumGroup is {options.MinimumGroup}: choose 1 to 1000.");
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }
}
