using System.Text.Json;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Credits.Access;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Ledger;
using KeycloakCreditBridge.Credits.Moves;
using KeycloakCreditBridge.Credits.Requests;
using KeycloakCreditBridge.Credits.Tiers;
using KeycloakCreditBridge.Credits.Usage;
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
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower);
        services.AddRateLimiter(_ => { });
        services.AddSingleton<RequestRates>();
        services.AddSingleton<IConfigureOptions<RateLimiterOptions>>(provider => provider.GetRequiredService<RequestRates>());
        services.AddSingleton<CreditsFilter>();
        services.AddSingleton<CreditsMetrics>();
        services.AddSingleton<BalanceStore>();
        services.AddSingleton<FirstRead>();
        services.AddSingleton<Accounts>();
        services.AddSingleton<MoveStore>();
        services.AddSingleton<Mover>();
        services.AddSingleton<MoveEndpoints>();
        services.AddSingleton<IdempotencyKeyStore>();
        services.AddHostedService<IdempotencyPurge>();
        services.AddSingleton<LedgerStore>();
        services.AddSingleton<LedgerEndpoints>();
        services.AddSingleton<UsageStore>();
        services.AddSingleton<UsageEndpoints>();
        services.AddSingleton<TierStore>();
        services.AddSingleton<TierEndpoints>();
        services.AddSingleton<InitializeEndpoint>();
    }

    public static void MapCredits(this WebApplication app)
    {
        // Addresses are counted before a token costs anything.
        app.UseRateLimiter();
        app.UseAuthentication();
        app.UseAuthorization();

        var api = app.MapGroup("/api/v1").NeedsToken()
            .AddEndpointFilter(app.Services.GetRequiredService<RequestRates>())
            .AddEndpointFilter(app.Services.GetRequiredService<CreditsFilter>());
        var credits = api.MapGroup("/credits");
        credits.MapGet("/balance", BalanceEndpoints.BalanceAsync);
        api.MapGet("/llm/credits", BalanceEndpoints.LlmBalanceAsync);
        credits.MapPost("/allocate", (HttpContext context, MoveEndpoints moves) => moves.AllocateAsync(context)).NeedsToken(CallerRoles.Admin);
        credits.MapPost("/refund", (HttpContext context, MoveEndpoints moves) => moves.RefundAsync(context)).NeedsToken(CallerRoles.Admin);
        credits.MapPost("/deduct", (HttpContext context, MoveEndpoints moves) => moves.DeductAsync(context))
            .NeedsToken(CallerRoles.Service, CallerRoles.Admin);
        credits.MapPost("/usage/track", (HttpContext context, MoveEndpoints moves) => moves.TrackAsync(context));
        credits.MapGet("/usage/summary", (HttpContext context, string? user_id, UsageEndpoints usage) => usage.SummaryAsync(context, user_id));
        credits.MapGet("/usage/by-model", (HttpContext context, string? user_id, UsageEndpoints usage) => usage.ByModelAsync(context, user_id));
        credits.MapGet("/usage/by-service", (HttpContext context, string? user_id, UsageEndpoints usage) => usage.ByServiceAsync(context, user_id));
        credits.MapGet("/transactions", (HttpContext context, string? user_id, LedgerEndpoints ledger) => ledger.TransactionsAsync(context, user_id));
        api.MapGet("/llm/credits/history", (HttpContext context, string? user_id, LedgerEndpoints ledger) => ledger.HistoryAsync(context, user_id));
        credits.MapGet("/tiers", (TierEndpoints tiers) => tiers.List());
        credits.MapGet("/tiers/compare", (HttpContext context, string? user_id, TierEndpoints tiers) => tiers.CompareAsync(context, user_id));
        credits.MapPost("/tiers/switch", (HttpContext context, TierEndpoints tiers) => tiers.SwitchAsync(context)).NeedsToken(CallerRoles.Admin);
        api.MapPost("/admin/users/{id}/initialize", (HttpContext context, string id, InitializeEndpoint endpoint) => endpoint.InitializeAsync(context, id))
            .NeedsToken(CallerRoles.Admin);
    }
}
