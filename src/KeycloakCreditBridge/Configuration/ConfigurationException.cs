namespace KeycloakCreditBridge.Configuration;

/// <summary>The configuration cannot be used. Every problem is listed with its key and the cure.</summary>
internal sealed class ConfigurationException(IReadOnlyList<string> problems)
    : Exception("The configuration cannot be used:" + string.Concat(problems.Select(problem => Environment.NewLine + "  " + problem)))
{
    public IReadOnlyList<string> Problems => problems;
}
