using System.Globalization;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Grants.Policy.Rules;
using KeycloakCreditBridge.Grants.Policy.Settings;

namespace KeycloakCreditBridge.Grants.Experiments;

/// <summary>What is wrong with experiments, each fault with its key and its remedy.</summary>
internal static partial class ExperimentsValidator
{
    private const int FewestArms = 2;
    private const int MostArms = 10;
    private const int MostExcluded = 10_000;
    private const decimal Tolerance = 0.000001m;

    /// <param name="key">Of the experiments.</param>
    /// <param name="experiments">By name.</param>
    /// <param name="welcome">The welcome whose credits they compare; null without one.</param>
    public static IEnumerable<string> Problems(
        string key, IReadOnlyDictionary<string, ExperimentOptions> experiments, WelcomeOptions? welcome)
    {
        if (experiments.Count > 0 && welcome is null)
            yield return $"{key} compares welcome credits, and there is no welcome: give Grants:Welcome:Credits too.";
        foreach (var (name, experiment) in experiments.OrderBy(item => item.Key, StringComparer.Ordinal))
        {
            if (!Name().IsMatch(name))
            {
                yield return $"{key}:{name} is no name of an experiment: use a to z, 0 to 9, - and _, at most 40 characters, such as "
                    + "trial-2026.";
            }

            IEnumerable<string> problems =
            [
                .. TimeProblems($"{key}:{name}", experiment), .. ArmProblems($"{key}:{name}:Arms", experiment.Arms, welcome),
                .. ValueProblems($"{key}:{name}", experiment),
                .. experiment.When is { } when ? WhenProblemsOf($"{key}:{name}:When", when, welcome) : [],
            ];
            foreach (var problem in problems)
                yield return problem;
        }

        foreach (var problem in OverlapProblems(key, experiments))
            yield return problem;
    }

    private static IEnumerable<string> TimeProblems(string key, ExperimentOptions experiment)
    {
        const string Example = "give an instant such as 2026-12-01T00:00:00Z";
        var (from, until) = (ExperimentTerms.InstantOf(experiment.From), ExperimentTerms.InstantOf(experiment.Until));
        if (experiment.From.Length == 0)
            yield return $"{key}:From is missing: {Example}, from which on users are in it.";
        else if (from is null)
            yield return $"{key}:From is '{experiment.From}': {Example}.";
        if (experiment.Until.Length > 0 && until is null)
            yield return $"{key}:Until is '{experiment.Until}': {Example}, or remove it.";
        else if (until <= from)
            yield return $"{key}:Until is {experiment.Until}, not later than From ({experiment.From}): choose a later one, or remove it.";
    }

    private static IEnumerable<string> ArmProblems(string key, List<ArmOptions> arms, WelcomeOptions? welcome)
    {
        if (arms.Count is < FewestArms or > MostArms)
            yield return Text($"{key} has {arms.Count} arms: give {FewestArms} to {MostArms}.");
        if (arms.Count > 0 && (arms[0].Name != ExperimentArm.Control || arms.Skip(1).Any(arm => arm.Name == ExperimentArm.Control)))
            yield return $"{key} needs exactly one arm named {ExperimentArm.Control}, and it comes first: the others are compared with it.";
        for (var index = 0; index < arms.Count; index++)
        {
            var (at, arm) = (Text($"{key}:{index}"), arms[index]);
            if (!Name().IsMatch(arm.Name))
                yield return $"{at}:Name is '{arm.Name}': use a to z, 0 to 9, - and _, at most 40 characters.";
            else if (arms.Take(index).Any(other => other.Name == arm.Name))
                yield return $"{at}:Name is '{arm.Name}' a second time: choose another name.";
            if (arm.Weight is not (> 0m and <= 1m))
                yield return Text($"{at}:Weight is {(arm.Weight is { } weight ? weight : "missing")}: choose more than 0 and at most 1.");
            if (arm.Credits is not { } credits)
                yield return $"{at}:Credits is missing: give the welcome credits of this arm.";
            else if (GrantAmount.ProblemWith(credits) is { } amount)
                yield return $"{at}:Credits {amount}";
            else if (credits <= welcome?.Before)
                yield return Text($"{at}:Credits is {credits}, no more than Grants:Welcome:Before ({welcome.Before}): choose more.");
            if (GrantsOptionsValidator.ProblemWith(arm.ExpiresAfter) is { } end)
                yield return $"{at}:ExpiresAfter {end}";
        }

        var sum = arms.Sum(arm => arm.Weight ?? 0m);
        if (arms.Count >= FewestArms && arms.TrueForAll(arm => arm.Weight is > 0m and <= 1m) && Math.Abs(sum - 1m) > Tolerance)
            yield return Text($"{key} has weights that add up to {sum}: choose weights that add up to 1.");
    }

    private static IEnumerable<string> ValueProblems(string key, ExperimentOptions experiment)
    {
        if (experiment.Version < 1)
            yield return Text($"{key}:Version is {experiment.Version}: choose 1 or more.");
        if (experiment.Coverage is <= 0m or > 1m)
            yield return Text($"{key}:Coverage is {experiment.Coverage}: choose more than 0 and at most 1.");
        if (!ExperimentMetrics.Known.Contains(experiment.Metric, StringComparer.Ordinal))
            yield return $"{key}:Metric is '{experiment.Metric}': choose one of {string.Join(", ", ExperimentMetrics.Known)}.";
        if (experiment.Planned < 1)
        {
            yield return Text($"{key}:Planned is {experiment.Planned}: give the users of each arm after which the result is final; ")
                + "`experiments plan` computes them.";
        }

        if (experiment.Winner.Length > 0 && experiment.Arms.TrueForAll(arm => arm.Name != experiment.Winner))
        {
            yield return $"{key}:Winner is '{experiment.Winner}', which is no arm: choose one of "
                + $"{string.Join(", ", experiment.Arms.Select(arm => arm.Name))}, or remove it.";
        }

        if (experiment.Exclude.Count > MostExcluded)
            yield return Text($"{key}:Exclude has {experiment.Exclude.Count} addresses: give at most {MostExcluded}, or domains.");
        for (var index = 0; index < experiment.Exclude.Count; index++)
        {
            if (!experiment.Exclude[index].Contains('@', StringComparison.Ordinal) || experiment.Exclude[index].EndsWith('@'))
                yield return Text($"{key}:Exclude:{index} is no address: give one such as ana@example.com, or @example.com for a domain.");
        }
    }

    // An arm has no budget, so no user may claim to be in it.
    private static IEnumerable<string> WhenProblemsOf(string key, RuleWhenOptions when, WelcomeOptions? welcome)
    {
        foreach (var problem in WelcomeRulesValidator.WhenProblems(key, when))
            yield return problem;
        if (when is { Source.Length: > 0 } or { Utm.Length: > 0 })
            yield return $"{key} asks for an attribution, which any user can claim: choose another condition.";
        if (when is { Attribute.Length: > 0, AdministratorsOnly: false })
        {
            yield return $"{key}:Attribute is one that users may edit: choose one that only administrators can edit, and set "
                + $"{key}:AdministratorsOnly.";
        }

        if (when is { Invite.Length: > 0 } && welcome is { Requires.Count: 0 } && welcome.DecideAfter == TimeSpan.Zero)
        {
            yield return $"{key}:Invite could never match: an invitation comes after the account is opened. Let the welcome wait by "
                + "DecideAfter, such as 00:02:00, or by Requires email_verified.";
        }
    }

    private static IEnumerable<string> OverlapProblems(string key, IReadOnlyDictionary<string, ExperimentOptions> experiments)
    {
        var runs = experiments.Select(item => (
                item.Key, From: ExperimentTerms.InstantOf(item.Value.From),
                Until: ExperimentTerms.InstantOf(item.Value.Until) ?? DateTimeOffset.MaxValue))
            .Where(run => run.From is not null).OrderBy(run => run.From).ThenBy(run => run.Key, StringComparer.Ordinal).ToList();
        foreach (var (first, second) in runs.Zip(runs.Skip(1)))
        {
            if (second.From < first.Until)
            {
                yield return $"{key}:{second.Key} begins before {key}:{first.Key} ends, and a user is in one experiment on the welcome: "
                    + $"choose {key}:{first.Key}:Until not later than {key}:{second.Key}:From.";
            }
        }
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\A[a-z0-9][a-z0-9_-]{0,39}\z")]
    private static partial Regex Name();
}
