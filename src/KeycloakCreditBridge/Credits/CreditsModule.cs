using System.Text.Json;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Credits.Access;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Balances.Cache;
using KeycloakCreditBridge.Credits.Description;
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
        services.AddSingleton<VerifiedTokens>();
        services.AddAuthorization();
        services.AddOpenApi(options => options.DescribeTokens());
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower);
        services.AddRateLimiter(_ => { });
        services.AddSingleton<RequestRates>();
        services.AddSingleton<IConfigureOptions<RateLimiterOptions>>(provider => provider.GetRequiredService<RequestRates>());
        services.AddSingleton<CreditsFilter>();
        services.AddSingleton<CreditsMetrics>();
        services.AddSingleton<BalanceStore>();
        services.AddSingleton<BalanceCache>();
        services.AddSingleton<BalanceNewsStore>();
        services.AddSingleton<BalanceAnnouncer>();
        services.AddHostedService(provider => provider.GetRequiredService<BalanceAnnouncer>());
        services.AddHostedService<BalanceListener>();
        services.AddHealthChecks().AddCheck<BalanceCacheHealth>("balances");
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
        services.AddSingleton<BalanceEndpoints>();
    }

    public static void MapCredits(this WebApplication app)
    {
        // Addresses are counted before a token costs anything.
        app.UseRateLimiter();
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapApi();
        app.MapOpenApi("/openapi/{documentName}.json");
    }
}
