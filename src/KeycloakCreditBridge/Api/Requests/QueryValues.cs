namespace KeycloakCreditBridge.Api.Requests;

/// <summary>Reads what stands behind the question mark.</summary>
internal static class QueryValues
{
    /// <summary>The value of this name; null when there is none. Of several nobody could say which is meant.</summary>
    /// <param name="problems">What is wrong with each name.</param>
    public static string? SingleValue(this IQueryCollection query, string name, Dictionary<string, string> problems)
    {
        var values = query[name];
        if (values.Count > 1)
            problems[name] = "is there more than once";
        return values is [{ Length: > 0 } value] ? value : null;
    }
}
