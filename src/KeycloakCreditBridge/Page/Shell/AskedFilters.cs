using System.Globalization;
using KeycloakCreditBridge.Page.Sessions;

namespace KeycloakCreditBridge.Page.Shell;

/// <summary>The filters in the address of a screen. What is no value of its filter is named, and not silently left out.</summary>
internal sealed class AskedFilters(HttpContext context)
{
    private const int LongestText = 255;

    private readonly List<string> _ignored = [];

    public IReadOnlyList<string> Ignored => _ignored;

    /// <summary>The realm that is asked for, or the first that the operator may see.</summary>
    /// <exception cref="Api.Problems.RequestRefusedException">The operator may not see it.</exception>
    public string Realm()
    {
        var user = Operator.Of(context);
        var realm = context.Request.Query["realm"].ToString() is { Length: > 0 } named ? named : user.Realms[0];
        user.Demand(realm, Access.View);
        return realm;
    }

    public string? Text(string name)
    {
        var text = context.Request.Query[name].ToString().Trim();
        return text.Length == 0 ? null
            : text.Length <= LongestText && !text.Contains('\0', StringComparison.Ordinal) ? text : Ignore(name, text);
    }

    public string? OneOf(string name, IEnumerable<string> values) =>
        Text(name) is not { } text ? null : values.Contains(text, StringComparer.Ordinal) ? text : Ignore(name, text);

    /// <summary>The begin of a day in UTC.</summary>
    public DateTimeOffset? Day(string name)
    {
        if (Text(name) is not { } text)
            return null;
        if (DateTimeOffset.TryParseExact(
            text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var day))
            return day;
        Ignore(name, text);
        return null;
    }

    private string? Ignore(string name, string text)
    {
        _ignored.Add($"{name} {Texts.Visible(text)}");
        return null;
    }
}
