using System.Globalization;
using KeycloakCreditBridge.Hosting.Schedule;
using KeycloakCreditBridge.Provisioning.Policy;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Periods;

/// <summary>Finds all problems of the options at once, each with its key and cure.</summary>
internal sealed class PeriodsOptionsValidator(IConfiguration configuration) : IValidateOptions<PeriodsOptions>
{
    private const decimal Largest = 99_999_999_999_999m;

    public ValidateOptionsResult Validate(string? name, PeriodsOptions options)
    {
        var problems = Problems(options).Select(problem => $"{PeriodsOptions.Section}:{problem}").ToList();
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    private IEnumerable<string> Problems(PeriodsOptions options)
    {
        if (CronText.ProblemWith(options.Cron) is { } reason)
        {
            yield return $"Cron is '{options.Cron}', which is not a schedule: {reason}. "
                + "Give seconds, minutes, hours, day of month, month and day of week, such as 0 10 * * * ? for ten past every hour.";
        }

        if (CapProblem(options.MaxRollover) is { } cap)
            yield return $"MaxRollover {cap}";
        foreach (var (tier, credits) in options.MaxRolloverByTier)
        {
            if (CapProblem(credits) is { } problem)
                yield return $"MaxRolloverByTier:{tier} {problem}";
        }

        if (!options.Rollover && (options.MaxRollover is not null || options.MaxRolloverByTier.Count > 0))
            yield return "Rollover is false, so that MaxRollover and MaxRolloverByTier have no effect: set Rollover, or remove them.";
        // The day of its beginning names a period, so that two must not begin on one day.
        if (options.Enabled && Period() is { } period && period < TimeSpan.FromDays(1))
        {
            yield return $"Enabled is true with {ProvisioningOptions.Section}:Period at {period}: "
                + "choose a period of a day at least, such as 30.00:00:00.";
        }
    }

    // The validator of that section reports a value that is not a positive time.
    private TimeSpan? Period() =>
        TimeSpan.TryParse(configuration[$"{ProvisioningOptions.Section}:Period"], CultureInfo.InvariantCulture,
            out var period) && period > TimeSpan.Zero
            ? period
            : null;

    private static string? CapProblem(decimal? cap) => cap is < 0m or > Largest || (cap is { } given && decimal.Round(given, 6) != given)
        ? string.Create(CultureInfo.InvariantCulture, $"is {cap}: choose 0 to {Largest} with at most six decimals.")
        : null;
}
