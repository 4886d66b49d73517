using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Setup.Operators;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Page.Gate;

/// <summary>What every answer of the page says to browsers, whatever its status.</summary>
internal sealed class PageHeaders(IOptions<PageOptions> page, IOptions<KeycloakOptions> keycloak)
{
    private const long LargestForm = 64 * 1024;

    // Browsers hold the redirect that follows a form to form-action too: a sign-out ends at Keycloak.
    private readonly string _policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
        + $"form-action 'self' {OriginOf(keycloak.Value)}; base-uri 'none'; frame-ancestors 'none'";

    public Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = LargestForm;
        context.Response.OnStarting(() =>
        {
            var headers = context.Response.Headers;
            headers.ContentSecurityPolicy = _policy;
            headers.XContentTypeOptions = "nosniff";
            headers.XFrameOptions = "DENY";
            headers["Referrer-Policy"] = "same-origin";
            headers["Cross-Origin-Opener-Policy"] = "same-origin";
            headers.Remove("blazor-enhanced-nav");
            if (page.Value.IsSecure)
                headers.StrictTransportSecurity = "max-age=31536000";
            if (headers.CacheControl.Count == 0 || !headers.CacheControl.ToString().Contains("immutable", StringComparison.Ordinal))
                headers.CacheControl = "no-store";
            return Task.CompletedTask;
        });
        return next(context);
    }

    private static string OriginOf(KeycloakOptions keycloak) =>
        new Uri(keycloak.PublicUrl is { Length: > 0 } url ? url : keycloak.Url).GetLeftPart(UriPartial.Authority);
}
