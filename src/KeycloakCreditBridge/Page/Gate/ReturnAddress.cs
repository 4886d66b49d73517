using KeycloakCreditBridge.Setup.Operators;

namespace KeycloakCreditBridge.Page.Gate;

/// <summary>Where a sign-in leads: a screen of this page, and nowhere else.</summary>
internal static class ReturnAddress
{
    private const int Longest = 1_000;

    /// <summary>The address if it is one of this page's screens, else the first screen.</summary>
    public static string Safe(string? address) =>
        address is { Length: > 0 and <= Longest } && IsOfPage(address) && !address.Contains('\\', StringComparison.Ordinal)
        && !address.Any(char.IsControl) ? address : PagePaths.Root;

    // A host could follow `//` alone; behind the page's own path nothing can.
    private static bool IsOfPage(string address) =>
        address == PagePaths.Root || address.StartsWith($"{PagePaths.Root}/", StringComparison.Ordinal)
        || address.StartsWith($"{PagePaths.Root}?", StringComparison.Ordinal);

    /// <summary>The screen that a form stood on, for the way back after a sign-in.</summary>
    public static string OfForm(HttpRequest request) =>
        HttpMethods.IsGet(request.Method) ? Safe(request.Path + request.QueryString.Value)
        : Uri.TryCreate(request.Headers.Referer.ToString(), UriKind.Absolute, out var referer) ? Safe(referer.PathAndQuery)
        : PagePaths.Root;
}
