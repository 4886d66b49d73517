using KeycloakCreditBridge.Api.Description;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Rates;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Credits.Ledger;
using KeycloakCreditBridge.Credits.Lookup;
using KeycloakCreditBridge.Credits.Tiers;
using KeycloakCreditBridge.Credits.Usage;
using KeycloakCreditBridge.Reconciliation.Requests;

namespace KeycloakCreditBridge.Credits;

/// <summary>The routes of the API, each with who may use it and what it answers.</summary>
internal static class CreditsRoutes
{
    public static void MapApi(this IEndpointRouteBuilder app)
    {
        var api = app.MapGroup("/api/v1").RequireToken()
            .AddEndpointFilter(app.ServiceProvider.GetRequiredService<RequestRateLimiter>())
            .AddEndpointFilter(app.ServiceProvider.GetRequiredService<ProblemFilter>());
        MapReads(api.MapGroup("/credits"), api.MapGroup("/llm"));
        MapMoves(api.MapGroup("/credits"));
        MapTiers(api.MapGroup("/credits/tiers"));
        api.MapPost("/admin/users/{id}/initialize", (HttpContext context, string id, InitializeEndpoint endpoint) => endpoint.InitializeAsync(context, id))
            .RequireToken(CallerRoles.Admin)
            .Answers<BalanceShape>("Asks Keycloak for a user now and brings the account there.");
        api.MapRuns();
    }

    private static void MapReads(RouteGroupBuilder credits, RouteGroupBuilder llm)
    {
        credits.MapGet("/balance", (HttpContext context, string? user_id, BalanceEndpoints balances) => balances.BalanceAsync(context, user_id))
            .Answers<BalanceShape>("A balance; opened at the first read.");
        llm.MapGet("/credits", (HttpContext context, string? user_id, BalanceEndpoints balances) => balances.LlmBalanceAsync(context, user_id))
            .Answers<LlmBalanceShape>("A balance as LLM gateways read it.");
        credits.MapGet("/transactions", (HttpContext context, string? user_id, LedgerEndpoints ledger) => ledger.TransactionsAsync(context, user_id))
            .Answers<TransactionShape[]>("The ledger, newest first. The header Next-Cursor has the next page's cursor.", "limit", "offset", "cursor", "transaction_type");
        llm.MapGet("/credits/history", (HttpContext context, string? user_id, LedgerEndpoints ledger) => ledger.HistoryAsync(context, user_id))
            .Answers<HistoryShape>("The ledger with its length.", "limit", "offset", "cursor", "transaction_type");
        credits.MapGet("/usage/summary", (HttpContext context, string? user_id, UsageEndpoints usage) => usage.SummaryAsync(context, user_id))
            .Answers<SummaryShape>("What was used in a time.", "start_date", "end_date");
        credits.MapGet("/usage/by-model", (HttpContext context, string? user_id, UsageEndpoints usage) => usage.ByModelAsync(context, user_id))
            .Answers<ModelShape[]>("What was used of each model.", "start_date", "end_date");
        credits.MapGet("/usage/by-service", (HttpContext context, string? user_id, UsageEndpoints usage) => usage.ByServiceAsync(context, user_id))
            .Answers<ServiceShape[]>("What was used of each service.", "start_date", "end_date");
    }

    private static void MapMoves(RouteGroupBuilder credits)
    {
        credits.MapPost("/allocate", (HttpContext context, CreditChangeEndpoints moves) => moves.AllocateAsync(context))
            .RequireToken(CallerRoles.Admin)
            .Answers<BalanceShape>("Adds to a balance.").TakesJson<AllocateShape>().TakesIdempotencyKey();
        credits.MapPost("/refund", (HttpContext context, CreditChangeEndpoints moves) => moves.RefundAsync(context))
            .RequireToken(CallerRoles.Admin)
            .Answers<BalanceShape>("Gives back.").TakesJson<RefundShape>().TakesIdempotencyKey();
        credits.MapPost("/deduct", (HttpContext context, CreditChangeEndpoints moves) => moves.DeductAsync(context))
            .RequireToken(CallerRoles.Service, CallerRoles.Admin)
            .Answers<BalanceShape>("Takes from a balance, never more than there is.").TakesJson<DeductShape>().TakesIdempotencyKey();
        credits.MapPost("/usage/track", (HttpContext context, CreditChangeEndpoints moves) => moves.TrackAsync(context))
            .Answers<TrackedShape>("Writes usage down, and takes what it cost unless it is free.").TakesJson<TrackShape>().TakesIdempotencyKey();
    }

    private static void MapTiers(RouteGroupBuilder tiers)
    {
        tiers.MapGet("", (TierEndpoints endpoints) => endpoints.List()).Answers<TierAnswer[]>("All tiers.");
        tiers.MapGet("/compare", (HttpContext context, string? user_id, TierEndpoints endpoints) => endpoints.CompareAsync(context, user_id))
            .Answers<TierComparison>("All tiers, and which is whose.");
        tiers.MapPost("/switch", (HttpContext context, TierEndpoints endpoints) => endpoints.SwitchAsync(context))
            .RequireToken(CallerRoles.Admin)
            .AddEndpointFilter<RouteHandlerBuilder, TierSwitchCacheFilter>()
            .Answers<BalanceShape>("Switches a tier; the balance stays, unless it is pro-rated.").TakesJson<SwitchShape>().TakesIdempotencyKey();
    }
}
