namespace KeycloakCreditBridge.Api.Problems;

/// <summary>A request that is refused, and the answer to its caller.</summary>
internal sealed class RequestRefusedException(int status, string message,
    IReadOnlyDictionary<string, object?>? more = null) : Exception(message)
{
    /// <summary>The status of the answer.</summary>
    public int Status => status;

    /// <summary>Further members of the problem document.</summary>
    public IReadOnlyDictionary<string, object?> More { get; } = more ?? new Dictionary<string, object?>();

    public static RequestRefusedException NoAccount(string user) =>
        new(StatusCodes.Status404NotFound, "There is no credit account for this user.",
            new Dictionary<string, object?> { ["user_id"] = user });

    /// <param name="problems">What is wrong with each field.</param>
    public static RequestRefusedException Invalid(IReadOnlyDictionary<string, string> problems) => new(
        StatusCodes.Status400BadRequest,
        string.Join(' ', problems.Select(problem => $"'{problem.Key}' {problem.Value}.")),
        new Dictionary<string, object?> { ["errors"] = problems.ToDictionary(problem => problem.Key, problem => new[] { problem.Value }) });
}
