using KeycloakCreditBridge.Setup.Operators;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Page.Sessions;

/// <summary>The page's cookies. Plain http, which only this machine may use, has no Secure and so no `__Host-`.</summary>
internal sealed class PageCookies(IOptions<PageOptions> options)
{
    private string Prefix => options.Value.IsSecure ? "__Host-bridge" : "bridge";

    /// <summary>Holds the session.</summary>
    public string Session => Prefix;

    /// <summary>Holds a sign-in on its way to Keycloak and back.</summary>
    public string SignIn => $"{Prefix}-sign-in";

    public void Set(HttpContext context, string name, string value, TimeSpan? lifetime = null) =>
        context.Response.Cookies.Append(name, value, Rules(lifetime));

    public void Remove(HttpContext context, string name) => context.Response.Cookies.Delete(name, Rules(null));

    private CookieOptions Rules(TimeSpan? lifetime) => new()
    {
        HttpOnly = true, Secure = options.Value.IsSecure, SameSite = SameSiteMode.Lax, Path = "/", MaxAge = lifetime, IsEssential = true,
    };
}
