using System.Globalization;
using KeycloakCreditBridge.Hosting.Schedule;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Grants;

/// <summary>Checks the options; the messages name the keys.</summary>
internal sealed class GrantsOptionsValidator : IValidateOptions<GrantsOptions>
{
    private const int MostDays = 365;

    private const string CronHelp =
        "Give seconds, minutes, hours, day of month, month and day of week, such as 0 5 2 ? * SUN for Sundays at 2:05; empty for never.";

    private const int MostTasksPerSecond = 1_000;

    private static readonly TimeSpan ShortestSweep = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestSweep = TimeSpan.FromDays(1);

    public ValidateOptionsResult Validate(string? name, GrantsOptions options)
    {
        List<string> problems = [.. Problems("Opening", options.Opening), .. Problems("Period", options.Period)];
        if (options.SweepEvery < ShortestSweep || options.SweepEvery > LongestSweep)
            problems.Add(Key($"SweepEvery is {options.SweepEvery}: choose {ShortestSweep} to {LongestSweep}."));
        if (options.TasksCron.Length > 0 && CronText.ProblemWith(options.TasksCron) is { } cron)
        {
            problems.Add(Key($"TasksCron is '{options.TasksCron}', which is not a schedule: {cron}. {CronHelp}"));
        }

        if (options.TasksPerSecond is < 1 or > MostTasksPerSecond)
            problems.Add(Key($"TasksPerSecond is {options.TasksPerSecond}: choose 1 to {MostTasksPerSecond}."));
        if (options.NoticeDays.Length > 0 && !Array.TrueForAll(options.NoticeDays.Split(',', GrantsOptions.Separators), IsDay))
            problems.Add(Key($"NoticeDays is '{options.NoticeDays}': choose days from 1 to {MostDays}, such as 7,1; empty for no notice."));
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    /// <summary>What is wrong with an end that follows this long after its grant; null if nothing is.</summary>
    public static string? ProblemWith(TimeSpan? expiresAfter) =>
        expiresAfter is { } given && (given < GrantTerms.ShortestEnd || given > GrantTerms.LongestEnd)
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"is {given}: choose an hour to {GrantTerms.LongestEnd.Days} days, such as 30.00:00:00, or remove it for no end.")
            : null;

    private static IEnumerable<string> Problems(string grant, GrantTerms terms)
    {
        if (ProblemWith(terms.ExpiresAfter) is { } problem)
            yield return Key($"{grant}:ExpiresAfter {problem}");
        if (terms.Priority is < GrantTerms.LowestPriority or > GrantTerms.HighestPriority)
            yield return Key($"{grant}:Priority is {terms.Priority}: choose {GrantTerms.LowestPriority} to {GrantTerms.HighestPriority}.");
    }

    private static bool IsDay(string text) =>
        short.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var days) && days is >= 1 and <= MostDays;

    private static string Key(FormattableString rest) => $"{GrantsOptions.Section}:{rest.ToString(CultureInfo.InvariantCulture)}";
}
