using System.Globalization;
using KeycloakCreditBridge.Grants.Policy.Rules;
using KeycloakCreditBridge.Grants.Policy.Settings;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Grants.Review;

/// <summary>Finds everything that is wrong with the settings of review at once, each with its key and its remedy.</summary>
internal sealed class FraudOptionsValidator : IValidateOptions<GrantsOptions>
{
    private const int Most = 100;
    private const int ShortestKey = 32;
    private const int MostPreviousKeys = 5;

    private static readonly TimeSpan ShortestLapse = TimeSpan.FromHours(1);
    private static readonly TimeSpan LongestLapse = TimeSpan.FromDays(365);
    private static readonly TimeSpan ShortestRetention = TimeSpan.FromDays(90);
    private static readonly TimeSpan LongestRetention = TimeSpan.FromDays(3650);

    public ValidateOptionsResult Validate(string? name, GrantsOptions options)
    {
        List<string> problems = [
            .. KeyProblems(options), .. PreviousKeyProblems(options.Fraud), .. RetentionProblems(options.Fraud),
            .. Problems("Fraud", options.Fraud),
        ];
        foreach (var (realm, own) in options.Realms.Where(realm => realm.Value.Fraud is not null))
            problems.AddRange(Problems($"Realms:{realm}:Fraud", own.Fraud!));
        return problems.Count == 0
            ? ValidateOptionsResult.Success
            : ValidateOptionsResult.Fail(problems.Select(problem => $"{GrantsOptions.Section}:{problem}"));
    }

    private static IEnumerable<string> KeyProblems(GrantsOptions options)
    {
        var isUsed = options.Realms.Values.Select(realm => realm.Fraud).Append(options.Fraud).Any(fraud => fraud?.Enabled == true);
        if (options.Fraud.Key.Length < ShortestKey && (isUsed || options.Fraud.Key.Length > 0))
        {
            yield return $"Fraud:Key has {options.Fraud.Key.Length} characters: networks and inboxes are kept as hashes, give a random "
                + $"secret of at least {ShortestKey}, such as `openssl rand -hex 32`.";
        }
    }

    private static IEnumerable<string> PreviousKeyProblems(FraudOptions options)
    {
        for (var index = 0; index < options.PreviousKeys.Count; index++)
        {
            if (options.PreviousKeys[index].Length < ShortestKey)
                yield return Text($"Fraud:PreviousKeys:{index} has {options.PreviousKeys[index].Length} characters: give the whole key.");
            else if (options.PreviousKeys[index] == options.Key)
                yield return Text($"Fraud:PreviousKeys:{index} is Key itself: remove the entry.");
        }

        if (options.PreviousKeys.Count > MostPreviousKeys)
            yield return Text($"Fraud:PreviousKeys has {options.PreviousKeys.Count} entries: keep at most {MostPreviousKeys}.");
    }

    // Doctor counts the decisions of 90 days.
    private static IEnumerable<string> RetentionProblems(FraudOptions options)
    {
        if (options.RetainHolds < ShortestRetention || options.RetainHolds > LongestRetention)
        {
            yield return $"Fraud:RetainHolds is {options.RetainHolds}: choose {ShortestRetention.Days}.00:00:00 to "
                + $"{LongestRetention.Days}.00:00:00.";
        }
    }

    private static IEnumerable<string> Problems(string key, RealmFraudOptions options) =>
    [
        .. LimitProblems(key, options),
        .. SignalProblems($"{key}:Signals", options.Signals),
        .. ExemptProblems($"{key}:Exempt", options.Exempt),
    ];

    private static IEnumerable<string> LimitProblems(string key, RealmFraudOptions options)
    {
        if (options.Hold is < 1 or > Most)
            yield return Text($"{key}:Hold is {options.Hold}: choose 1 to {Most}.");
        if (options.Refuse is < 1 or > Most)
            yield return Text($"{key}:Refuse is {options.Refuse}: choose 1 to {Most}, or remove it so that no grant is refused.");
        else if (options.Refuse < options.Hold)
            yield return Text($"{key}:Refuse is {options.Refuse}, less than Hold ({options.Hold}): nothing would be held; choose more.");
        if (options.WhileHeld != 0m && GrantAmount.ProblemWith(options.WhileHeld) is { } problem)
            yield return $"{key}:WhileHeld {problem} 0 gives nothing.";
        if (options.LapseAfter < ShortestLapse || options.LapseAfter > LongestLapse)
            yield return $"{key}:LapseAfter is {options.LapseAfter}: choose 01:00:00 to 365.00:00:00.";
    }

    private static IEnumerable<string> SignalProblems(string key, Dictionary<string, SignalOptions> signals)
    {
        foreach (var (signal, own) in signals)
        {
            if (!SignalNames.All.Contains(signal, StringComparer.Ordinal))
                yield return $"{key}:{signal} is no signal: choose {string.Join(", ", SignalNames.All)}.";
            if (own.Score is < 0 or > Most)
                yield return Text($"{key}:{signal}:Score is {own.Score}: choose 0 to {Most}; 0 has it recorded alone.");
        }
    }

    private static IEnumerable<string> ExemptProblems(string key, ExemptOptions exempt)
    {
        for (var index = 0; index < exempt.IdentityProviders.Count; index++)
        {
            if (string.IsNullOrWhiteSpace(exempt.IdentityProviders[index]))
                yield return $"{key}:IdentityProviders:{index} is empty: give the provider's alias, or remove it.";
        }

        for (var index = 0; index < exempt.Groups.Count; index++)
        {
            if (exempt.Groups[index] is not ['/', _, ..] || exempt.Groups[index].EndsWith('/'))
                yield return $"{key}:Groups:{index} is '{exempt.Groups[index]}': give the group's whole path, such as /staff or /staff/*.";
        }

        for (var index = 0; index < exempt.EmailDomains.Count; index++)
        {
            if (DomainSet.ProblemWith(exempt.EmailDomains[index]) is { } problem)
                yield return $"{key}:EmailDomains:{index}: {problem}.";
        }
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
