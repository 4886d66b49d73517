namespace KeycloakCreditBridge.Api.Requests;

/// <summary>Reads values of the query.</summary>
internal static class QueryValues
{
    /// <summary>The value of this name; null when there is none. Several are a problem.</summary>
    /// <param name="problems">What is wrong with each name.</param>
    public static string? SingleValue(this IQueryCollection query, string name, Dictionary<string, string> problems)
    {
        var values = query[name];
        if (values.Count > 1)
            problems[name] = "occurs more than once";
        return values is [{ Length: > 0 } value] ? value : null;
    }
}
