using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Grants.Experiments;
using KeycloakCreditBridge.Grants.Policy.Rules;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Policy.Tasks;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Grants.Policy;

/// <summary>Finds everything that is wrong with the policies at once, each with its key and its remedy.</summary>
internal sealed class PolicyOptionsValidator(IConfiguration configuration) : IValidateOptions<GrantsOptions>
{
    private static readonly TimeSpan ShortestWithin = TimeSpan.FromHours(1);
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan LongestWithin = TimeSpan.FromDays(365);

    public ValidateOptionsResult Validate(string? name, GrantsOptions options)
    {
        var problems = Problems(options).Select(problem => $"{GrantsOptions.Section}:{problem}").ToList();
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    private IEnumerable<string> Problems(GrantsOptions options) =>
    [
        .. InviteProblems(options),
        .. AllWelcomeProblems("Welcome", options.Welcome),
        .. TaskOptionsValidator.Problems("Tasks", options.Tasks),
        .. ExperimentsValidator.Problems("Experiments", options.Experiments, options.Welcome),
        .. options.Realms.SelectMany(realm => RealmProblems(realm.Key, realm.Value)),
        .. options.Realms.Where(realm => realm.Value.Experiments is not null).SelectMany(realm => ExperimentsValidator.Problems(
            $"Realms:{realm.Key}:Experiments", realm.Value.Experiments!, realm.Value.Welcome ?? options.Welcome)),
    ];

    private static IEnumerable<string> InviteProblems(GrantsOptions options)
    {
        var invites = options.Realms.Values.Select(realm => realm.Welcome).Append(options.Welcome)
            .Any(welcome => welcome?.Rules.Exists(rule => rule.When is { Invite.Length: > 0 }) == true);
        if (options.InviteKey.Length < InviteLinks.ShortestKey && (invites || options.InviteKey.Length > 0))
        {
            yield return $"InviteKey has {options.InviteKey.Length} characters: invitations need a secret of at least "
                + $"{InviteLinks.ShortestKey}.";
        }
    }

    private IEnumerable<string> RealmProblems(string realm, RealmGrantsOptions options)
    {
        string[] watched = [
            .. configuration.GetSection($"{KeycloakOptions.Section}:Realms").GetChildren().Select(child => child["Name"]).OfType<string>()];
        if (!watched.Contains(realm, StringComparer.Ordinal))
        {
            yield return $"Realms:{realm} is no realm of {KeycloakOptions.Section}:Realms: "
                + $"choose one of {string.Join(", ", watched)}, or add it there.";
        }

        foreach (var problem in AllWelcomeProblems($"Realms:{realm}:Welcome", options.Welcome))
            yield return problem;
        foreach (var problem in TaskOptionsValidator.Problems($"Realms:{realm}:Tasks", options.Tasks))
            yield return problem;
    }

    private static IEnumerable<string> WelcomeProblems(string key, WelcomeOptions welcome)
    {
        if (welcome.Credits is { } credits && GrantAmount.ProblemWith(credits) is { } problem)
            yield return $"{key}:Credits {problem}";
        if (welcome.Before != 0 && GrantAmount.ProblemWith(welcome.Before) is { } before)
            yield return $"{key}:Before {before}";
        else if (welcome.Credits is > 0m && welcome.Before > welcome.Credits)
            yield return $"{key}:Before is {welcome.Before}, more than Credits ({welcome.Credits}): choose a part of Credits.";
        else if (welcome is { Before: > 0m, Requires.Count: 0, Rules.Count: 0 } && welcome.DecideAfter == TimeSpan.Zero)
            yield return $"{key}:Before has no effect without Requires: name what the rest waits for, or remove it.";
        for (var index = 0; index < welcome.Requires.Count; index++)
        {
            var required = welcome.Requires[index];
            if (!Requirements.Known.Contains(required, StringComparer.Ordinal))
                yield return $"{key}:Requires:{index} is '{required}'{Meant(required)}: choose {string.Join(", ", Requirements.Known)}.";
            else if (welcome.Requires.IndexOf(required) < index)
                yield return $"{key}:Requires:{index} is '{required}' a second time: remove it.";
        }

        if (welcome.DecideAfter < TimeSpan.Zero || welcome.DecideAfter > LongestWait)
            yield return $"{key}:DecideAfter is {welcome.DecideAfter}: choose 00:00:00 to {LongestWait}.";
        if (GrantsOptionsValidator.ProblemWith(welcome.ExpiresAfter) is { } end)
            yield return $"{key}:ExpiresAfter {end}";
        if (welcome.VerifyWithin is { } within && (within < ShortestWithin || within > LongestWithin))
            yield return $"{key}:VerifyWithin is {within}: choose 01:00:00 to 365.00:00:00.";
        else if (welcome.VerifyWithin is not null && welcome.Requires.Count == 0)
            yield return $"{key}:VerifyWithin has no effect without Requires: name what must be met, or remove it.";
    }

    private static IEnumerable<string> AllWelcomeProblems(string key, WelcomeOptions? welcome) =>
        welcome is null ? [] : WelcomeProblems(key, welcome).Concat(WelcomeRulesValidator.Problems(
            $"{key}:Rules", welcome.Rules, waits: welcome.Requires.Count > 0 || welcome.DecideAfter > TimeSpan.Zero));

    private static string Meant(string name) =>
        NearestKey.Of(name, Requirements.Known) is { } meant ? $", did you mean {meant}" : "";
}
