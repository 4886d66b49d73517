using System.Globalization;
using KeycloakCreditBridge.Grants.Policy.Settings;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Grants.Referrals;

/// <summary>Finds everything that is wrong with the settings of referrals at once, each with its key and its remedy.</summary>
internal sealed class ReferralOptionsValidator : IValidateOptions<GrantsOptions>
{
    private const int MostPlaces = 1_000_000;

    private static readonly TimeSpan ShortestWithin = TimeSpan.FromHours(1);
    private static readonly TimeSpan LongestWithin = TimeSpan.FromDays(365);
    private static readonly TimeSpan LongestSettle = TimeSpan.FromDays(90);

    public ValidateOptionsResult Validate(string? name, GrantsOptions options)
    {
        List<string> problems = [.. Problems("Referrals", options.Referrals, options.Tasks)];
        foreach (var (realm, own) in options.Realms)
            problems.AddRange(Problems($"Realms:{realm}:Referrals", own.Referrals, own.Tasks ?? options.Tasks));
        return problems.Count == 0
            ? ValidateOptionsResult.Success
            : ValidateOptionsResult.Fail(problems.Select(problem => $"{GrantsOptions.Section}:{problem}"));
    }

    private static IEnumerable<string> Problems(
        string key, ReferralOptions? options, IReadOnlyDictionary<string, TaskOptions> tasks) => options is null ? [] :
    [
        .. AmountProblems($"{key}:ReferrerCredits", options.ReferrerCredits),
        .. AmountProblems($"{key}:RefereeCredits", options.RefereeCredits),
        .. QualifyProblems($"{key}:Qualify", options.Qualify, tasks),
        .. TimeProblems(key, options),
        .. LimitProblems(key, options),
    ];

    private static IEnumerable<string> AmountProblems(string key, decimal? credits)
    {
        if (credits is not { } given)
            yield return $"{key} is missing: choose what is paid.";
        else if (GrantAmount.ProblemWith(given) is { } problem)
            yield return $"{key} {problem}";
    }

    private static IEnumerable<string> QualifyProblems(
        string key, ReferralQualifyOptions qualify, IReadOnlyDictionary<string, TaskOptions> tasks)
    {
        if (qualify.Spent != 0m && GrantAmount.ProblemWith(qualify.Spent) is { } problem)
            yield return $"{key}:Spent {problem} 0 leaves it out.";
        if (qualify.Task.Length > 0 && !tasks.ContainsKey(qualify.Task))
        {
            var known = tasks.Count == 0 ? "there is none" : $"choose one of {string.Join(", ", tasks.Keys)}";
            yield return $"{key}:Task is '{qualify.Task}', which is no task of {GrantsOptions.Section}:Tasks: {known}, or add it there.";
        }

        if (qualify is { Spent: 0m, Task: "", Purchase: false })
            yield return $"{key} asks for nothing, and any registration would be paid: give Spent, Task or Purchase.";
    }

    private static IEnumerable<string> TimeProblems(string key, ReferralOptions options)
    {
        if (options.Within < ShortestWithin || options.Within > LongestWithin)
            yield return $"{key}:Within is {options.Within}: choose 01:00:00 to 365.00:00:00.";
        if (options.Settle < TimeSpan.Zero || options.Settle > LongestSettle)
            yield return $"{key}:Settle is {options.Settle}: choose 00:00:00 to 90.00:00:00.";
        if (GrantsOptionsValidator.ProblemWith(options.ExpiresAfter) is { } end)
            yield return $"{key}:ExpiresAfter {end}";
    }

    private static IEnumerable<string> LimitProblems(string key, ReferralOptions options)
    {
        if (options.MostPerReferrer is < 1 or > MostPlaces)
            yield return string.Create(
                CultureInfo.InvariantCulture, $"{key}:MostPerReferrer is {options.MostPerReferrer}: choose 1 to {MostPlaces}.");
        if (options.MostIn30Days is < 1 or > MostPlaces)
            yield return string.Create(
                CultureInfo.InvariantCulture, $"{key}:MostIn30Days is {options.MostIn30Days}: choose 1 to {MostPlaces}.");
        if (options.Budget is { } budget && GrantAmount.ProblemWith(budget.Credits) is { } problem)
            yield return $"{key}:Budget:Credits {problem}";
        else if (options.Budget is { } small && small.Credits < options.ReferrerCredits)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"{key}:Budget:Credits is {small.Credits}, less than ReferrerCredits ({options.ReferrerCredits}): no referrer is paid.");
        }
    }
}
