using System.Net;
using System.Text.RegularExpressions;

namespace KeycloakCreditBridge.Sandbox.Keycloak.Browsers;

/// <summary>A form of a page: its target and the values of its fields.</summary>
internal sealed partial record HtmlForm(Uri Action, IReadOnlyDictionary<string, string> Fields)
{
    /// <summary>The names of its fields, which identify a form.</summary>
    public string FieldNames => string.Join(',', Fields.Keys);

    /// <summary>The first form of the page that asks for one of these fields, or null.</summary>
    public static HtmlForm? Find(Uri page, string html, IEnumerable<string> fields) =>
        FormTag().Matches(html)
            .Select(
                form => new HtmlForm(new Uri(page, Attribute(form.Groups["tag"].Value, "action")), FieldsOf(form.Groups["content"].Value)))
            .FirstOrDefault(form => fields.Any(form.Fields.ContainsKey));

    /// <summary>The target of the form with this id.</summary>
    public static Uri ActionOf(Uri page, string html, string id) => FormTag().Matches(html)
        .Where(form => Attribute(form.Groups["tag"].Value, "id") == id)
        .Select(form => new Uri(page, Attribute(form.Groups["tag"].Value, "action")))
        .FirstOrDefault()
        ?? throw new InvalidOperationException($"Keycloak's page {page.AbsolutePath} has no form {id}: {MessageOf(html)}");

    /// <summary>The values to send: the answers for the fields that have one, the form's own values for the others.</summary>
    public Dictionary<string, string> FilledWith(IReadOnlyDictionary<string, string> answers) =>
        Fields.ToDictionary(field => field.Key, field => answers.GetValueOrDefault(field.Key) ?? field.Value);

    /// <summary>What the page says went wrong, or its title.</summary>
    public static string MessageOf(string html)
    {
        var errors = ErrorText().Matches(html).Select(match => TextOf(match.Groups[1].Value)).Where(text => text.Length > 0).ToArray();
        return errors.Length > 0 ? string.Join("; ", errors) : TextOf(Title().Match(html).Groups[1].Value);
    }

    // Submit buttons and boxes that are not ticked are not sent.
    private static Dictionary<string, string> FieldsOf(string content)
    {
        var fields = new Dictionary<string, string>();
        foreach (var input in InputTag().Matches(content).Select(match => match.Value))
        {
            var ignored = Attribute(input, "type") is "submit" or "button"
                || (Attribute(input, "type") is "checkbox" or "radio" && !input.Contains("checked", StringComparison.Ordinal));
            if (!ignored && Attribute(input, "name") is { Length: > 0 } name)
                fields[name] = Attribute(input, "value");
        }
        return fields;
    }

    private static string Attribute(string tag, string name) =>
        WebUtility.HtmlDecode(Regex.Match(tag, $"""\s{name}\s*=\s*"([^"]*)" """.TrimEnd(), RegexOptions.IgnoreCase).Groups[1].Value);

    private static string TextOf(string html) => WebUtility.HtmlDecode(AnyTag().Replace(html, " ")).Trim();

    [GeneratedRegex("<form(?<tag>[^>]*)>(?<content>.*?)</form>", RegexOptions.Singleline | RegexOptions.IgnoreCase)]
    private static partial Regex FormTag();

    [GeneratedRegex("<input[^>]*>", RegexOptions.Singleline | RegexOptions.IgnoreCase)]
    private static partial Regex InputTag();

    [GeneratedRegex(
        """(?:id="input-error[^"]*"|class="[^"]*(?:kc-feedback-text|pf-m-error|instruction)[^"]*")[^>]*>(.*?)</(?:span|p|div)>""",
        RegexOptions.Singleline)]
    private static partial Regex ErrorText();

    [GeneratedRegex("<title>(.*?)</title>", RegexOptions.Singleline | RegexOptions.IgnoreCase)]
    private static partial Regex Title();

    [GeneratedRegex("<[^>]*>", RegexOptions.Singleline)]
    private static partial Regex AnyTag();
}
