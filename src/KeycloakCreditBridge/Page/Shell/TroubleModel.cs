namespace KeycloakCreditBridge.Page.Shell;

/// <summary>Why a request was not answered as asked.</summary>
/// <param name="Link">Where to go on; null for nowhere.</param>
/// <param name="Kept">What a form had in it.</param>
internal sealed record TroubleModel(string Title, string Sentence, TroubleLink? Link, IReadOnlyList<KeyValuePair<string, string>> Kept)
{
    public static IResult Of(HttpContext context, int status, string title, string sentence, TroubleLink? link = null) =>
        Screens.Show<Trouble, TroubleModel>(context, new TroubleModel(title, sentence, link, KeptOf(context)), status);

    private static IReadOnlyList<KeyValuePair<string, string>> KeptOf(HttpContext context) =>
        context.Features.Get<IFormCollection>() is not { } form || StatusIsOfSignIn(context) ? []
        : [.. form.Where(field => field.Key is not (FormToken.Name or "key" or "step"))
            .Select(field => KeyValuePair.Create(field.Key.Replace('_', ' '), field.Value.ToString()))];

    private static bool StatusIsOfSignIn(HttpContext context) =>
        context.Request.Path.Value?.Contains("sign", StringComparison.Ordinal) == true;
}

internal sealed record TroubleLink(string Address, string Text);
