using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Api.Description;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Rates;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Configuration;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Api;

internal static class ApiModule
{
    public static void AddApi(this IHostApplicationBuilder builder)
    {
        builder.AddSection<ApiOptions, ApiOptionsValidator>(ApiOptions.Section);
        var services = builder.Services;
        // AddAuthentication would start DataProtection, which is for cookies: its warning would be the first line of a first start.
        services.AddAuthenticationCore();
        services.AddWebEncoders();
        new AuthenticationBuilder(services).AddScheme<AuthenticationSchemeOptions, RealmTokenHandler>(RealmTokenHandler.SchemeName, null);
        services.AddSingleton<VerifiedTokens>();
        services.AddAuthorization();
        services.AddOpenApi(ApiDocument.Name, ApiDocument.Configure);
        services.AddSingleton<ApiDocument>();
        services.ConfigureHttpJsonOptions(json =>
        {
            json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
            // Otherwise every number is described as text too, which no answer is.
            json.SerializerOptions.NumberHandling = JsonNumberHandling.Strict;
        });
        services.AddSingleton<IPostConfigureOptions<ForwardedHeadersOptions>, ProxyTrust>();
        services.AddCors();
        services.AddSingleton<RequestRateLimiter>();
        services.AddSingleton<ProblemFilter>();
    }

    public static void UseApi(this WebApplication app)
    {
        var options = app.Services.GetRequiredService<IOptions<ApiOptions>>().Value;
        // Only here, where the settings are known to be right.
        app.LimitConnections(options);
        // With ASP.NET Core's own switch the framework has put this first already.
        if (options.KnownProxies.Count > 0 && !ProxyTrust.IsSwitchedOn(app.Configuration))
            app.UseForwardedHeaders();
        // Before all that refuses: a browser shows its page no refusal without these headers, and a preflight has no token.
        app.UseCors();
        // Addresses are counted before a token costs anything.
        app.Use(app.Services.GetRequiredService<RequestRateLimiter>().LimitAddressAsync);
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapGet($"/openapi/{ApiDocument.Name}.json", async (ApiDocument document) =>
                TypedResults.Bytes(await document.TextAsync(), "application/json"))
            .Named("getDescription", "This document.").WithTags("Operation").Produces<JsonObject>();
    }

    /// <summary>
    /// The group of the API's routes: each needs a token, counts against its caller's rate and answers problem documents.
    /// </summary>
    public static RouteGroupBuilder MapApiGroup(this IEndpointRouteBuilder app) => app.MapGroup("/api/v1").RequireToken()
        .AddEndpointFilter(app.ServiceProvider.GetRequiredService<RequestRateLimiter>())
        .AddEndpointFilter(app.ServiceProvider.GetRequiredService<RequestRateLimiter>().LimitWriteAsync)
        .AddEndpointFilter(app.ServiceProvider.GetRequiredService<ProblemFilter>());

    private static void LimitConnections(this WebApplication app, ApiOptions options)
    {
        var proxies = ProxyTrust.IsOn(app.Configuration, options)
            ? app.Services.GetRequiredService<IOptions<ForwardedHeadersOptions>>().Value.KnownIPNetworks
            : [];
        new ConnectionLimits(options.MaxConnections, address => proxies.Any(network => network.Contains(Unmapped(address))))
            .Apply(app.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value);
    }

    private static IPAddress Unmapped(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
