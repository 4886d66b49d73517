using System.Text.Json;
using KeycloakCreditBridge.Api.Description;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Rates;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Ledger;
using KeycloakCreditBridge.Credits.Lookup;
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
        services.AddSingleton<RequestRateLimiter>();
        services.AddSingleton<IConfigureOptions<RateLimiterOptions>>(provider => provider.GetRequiredService<RequestRateLimiter>());
        services.AddSingleton<ProblemFilter>();
        services.AddSingleton<CreditsMetrics>();
        services.AddSingleton<BalanceStore>();
        services.AddSingleton<BalanceCache>();
        services.AddSingleton<BalanceInvalidationStore>();
        services.AddSingleton<BalanceInvalidator>();
        services.AddHostedService(provider => provider.GetRequiredService<BalanceInvalidator>());
        services.AddHostedService<BalanceListener>();
        services.AddHealthChecks().AddCheck<BalanceCacheHealth>("balances");
        services.AddSingleton<FirstRead>();
        services.AddSingleton<AccountLookup>();
        services.AddSingleton<CreditChangeStore>();
        services.AddSingleton<LedgerWriter>();
        services.AddSingleton<CreditChangeEndpoints>();
        services.AddSingleton<IdempotencyKeyStore>();
        services.AddHostedService<IdempotencyPurge>();
        services.AddSingleton<LedgerStore>();
        services.AddSingleton<LedgerEndpoints>();
        services.AddSingleton<UsageSummaryStore>();
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
