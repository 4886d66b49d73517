using System.Net;
using System.Text;
using KeycloakCreditBridge.Sandbox.Emulator.Http;

namespace KeycloakCreditBridge.Sandbox.Emulator.Pages;

/// <summary>The minimal HTML with Keycloak's forms, field names, links and error marks.</summary>
internal static class PageHtml
{
    /// <summary>A page with one form, and a link for each identity provider.</summary>
    public static Answer Form(PageForm form, IEnumerable<KeyValuePair<string, string>> links) => Answer.Html(Document(form.Title, page =>
    {
        page.Append($"""<form id="{form.Id}" action="{Encode(form.Action)}" method="post">""");
        foreach (var field in form.Fields)
            Append(page, field, form.Errors.GetValueOrDefault(field.Name));
        page.Append("""<input type="submit" value="Submit"/></form>""");
        foreach (var (alias, address) in links)
            page.Append($"""<a id="social-{Encode(alias)}" href="{Encode(address)}">{Encode(alias)}</a>""");
    }));

    public static Answer Form(PageForm form) => Form(form, []);

    public static Answer Error(string message)
    {
        var text = $"""<div id="kc-error-message"><p class="instruction">{Encode(message)}</p></div>""";
        return Answer.Html(Document("We are sorry...", page => page.Append(text)), StatusCodes.Status400BadRequest);
    }

    private static void Append(StringBuilder page, PageField field, string? error)
    {
        page.Append($"""<label for="{field.Name}">{field.Name}</label>""");
        page.Append($"""<input type="{field.Type}" id="{field.Name}" name="{field.Name}" value="{Encode(field.Value)}"/>""");
        if (error is not null)
            page.Append($"""<div id="input-error-{field.Name}"><span class="kc-feedback-text">{Encode(error)}</span></div>""");
    }

    private static string Document(string title, Action<StringBuilder> body)
    {
        var page = new StringBuilder("""<!DOCTYPE html><html class="login-pf" lang="en">""")
            .Append($"""<head><title>{Encode(title)}</title></head><body><h1 id="kc-page-title">{Encode(title)}</h1>""");
        body(page);
        return page.Append("</body></html>").ToString();
    }

    private static string Encode(string? text) => WebUtility.HtmlEncode(text ?? "");
}

/// <summary>A form and the errors of its last submission, by field.</summary>
internal sealed record PageForm(
    string Title, string Id, string Action, IReadOnlyList<PageField> Fields, IReadOnlyDictionary<string, string> Errors);

/// <summary>One input of a form.</summary>
internal sealed record PageField(string Name, string Type = "text", string? Value = null);
