using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Grants.Codes;

/// <summary>Checks the options of codes; the messages name the keys.</summary>
internal sealed class CodesOptionsValidator : IValidateOptions<GrantsOptions>
{
    private const string Section = $"{GrantsOptions.Section}:Codes";
    private const int ShortestKey = 32;
    private const int MostFailures = 100_000;

    public ValidateOptionsResult Validate(string? name, GrantsOptions options)
    {
        var codes = options.Codes;
        List<string> problems = [];
        if (codes.Key.Length is > 0 and < ShortestKey)
        {
            problems.Add(
                $"{Section}:Key has {codes.Key.Length} characters: give a random one of at least {ShortestKey}, such as "
                + "`openssl rand -hex 32`, or none where codes are not used.");
        }

        foreach (var (key, failures) in (ReadOnlySpan<(string, int)>)[
            (nameof(codes.FailuresPerUser), codes.FailuresPerUser), (nameof(codes.FailuresPerNetwork), codes.FailuresPerNetwork),
            (nameof(codes.FailuresPerRealm), codes.FailuresPerRealm)])
        {
            if (failures is < 1 or > MostFailures)
                problems.Add($"{Section}:{key} is {failures}: choose 1 to {MostFailures}.");
        }

        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }
}
