using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Credits.Ledger;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;

namespace KeycloakCreditBridge.Credits.Browsers;

/// <summary>What pages of the configured origins may do in a browser: call with a token, and read why they were refused.</summary>
internal sealed class BrowserAccess(IOptions<CreditsOptions> credits) : IConfigureOptions<CorsOptions>
{
    public const string Policy = "credits";

    private static readonly TimeSpan PreflightLifetime = TimeSpan.FromMinutes(10);

    public void Configure(CorsOptions options) => options.AddPolicy(Policy, policy => policy
        .WithOrigins([.. credits.Value.AllowedOrigins])
        .WithMethods(HttpMethods.Get, HttpMethods.Post)
        .WithHeaders(HeaderNames.Authorization, HeaderNames.ContentType, IdempotencyKey.Header)
        .WithExposedHeaders(HeaderNames.RetryAfter, HeaderNames.WWWAuthenticate, LedgerEndpoints.NextCursor)
        .SetPreflightMaxAge(PreflightLifetime));
}
