using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Credits.Access;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Moves;
using KeycloakCreditBridge.Credits.Requests;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Credits;

internal static class CreditsModule
{
    public static void AddCredits(this IHostApplicationBuilder builder)
    {
        builder.AddSection<CreditsOptions, CreditsOptionsValidator>(CreditsOptions.Section);
        var services = builder.Services;
        services.AddAuthentication().AddScheme<AuthenticationSchemeOptions, RealmTokenHandler>(RealmTokenHandler.SchemeName, null);
        services.AddAuthorization();
        services.AddRateLimiter(_ => { });
        services.AddSingleton<RequestRates>();
        services.AddSingleton<IConfigureOptions<RateLimiterOptions>>(provider => provider.GetRequiredService<RequestRates>());
        services.AddSingleton<CreditsMetrics>();
        services.AddSingleton<BalanceStore>();
        services.AddSingleton<FirstRead>();
        services.AddSingleton<Accounts>();
        services.AddSingleton<MoveStore>();
        services.AddSingleton<Mover>();
        services.AddSingleton<MoveEndpoints>();
        services.AddSingleton<IdempotencyKeyStore>();
        services.AddHostedService<IdempotencyPurge>();
    }

    public static void MapCredits(this WebApplication app)
    {
        // Addresses are counted before a token costs anything.
        app.UseRateLimiter();
        app.UseAuthentication();
        app.UseAuthorization();

        var api = app.MapGroup("/api/v1").NeedsToken().AddEndpointFilter<RequestRates>().AddEndpointFilter<CreditsFilter>();
        var credits = api.MapGroup("/credits");
        credits.MapGet("/balance", BalanceEndpoints.BalanceAsync);
        api.MapGet("/llm/credits", BalanceEndpoints.LlmBalanceAsync);
        credits.MapPost("/allocate", (HttpContext context, MoveEndpoints moves) => moves.AllocateAsync(context)).NeedsToken(CallerRoles.Admin);
        credits.MapPost("/refund", (HttpContext context, MoveEndpoints moves) => moves.RefundAsync(context)).NeedsToken(CallerRoles.Admin);
        credits.MapPost("/deduct", (HttpContext context, MoveEndpoints moves) => moves.DeductAsync(context))
            .NeedsToken(CallerRoles.Service, CallerRoles.Admin);
        credits.MapPost("/usage/track", (HttpContext context, MoveEndpoints moves) => moves.TrackAsync(context));
    }
}
