using KeycloakCreditBridge.Api;
using KeycloakCreditBridge.Api.Description;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Credits.Attributions;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Browsers;
using KeycloakCreditBridge.Credits.Codes;
using KeycloakCreditBridge.Credits.Grants;
using KeycloakCreditBridge.Credits.Holds;
using KeycloakCreditBridge.Credits.Ledger;
using KeycloakCreditBridge.Credits.Lookup;
using KeycloakCreditBridge.Credits.Milestones;
using KeycloakCreditBridge.Credits.Referrals;
using KeycloakCreditBridge.Credits.Tasks;
using KeycloakCreditBridge.Credits.Tiers;
using KeycloakCreditBridge.Credits.Usage;
using KeycloakCreditBridge.Telemetry;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Credits;

internal static class CreditsModule
{
    public static void AddCredits(this IHostApplicationBuilder builder)
    {
        builder.AddSection<CreditsOptions, CreditsOptionsValidator>(CreditsOptions.Section);
        var services = builder.Services;
        services.AddSingleton<IConfigureOptions<CorsOptions>, BrowserAccess>();
        services.AddInstruments<CreditsMetrics>();
        services.AddSingleton<BalanceStore>();
        services.AddSingleton<BalanceCache>();
        services.AddSingleton<BalanceInvalidationStore>();
        services.AddSingleton<BalanceInvalidator>();
        services.AddHostedService(provider => provider.GetRequiredService<BalanceInvalidator>());
        services.AddHostedService<BalanceListener>();
        services.AddHealthChecks().AddCheck<BalanceCacheHealth>("balances");
        services.AddSingleton<MilestoneStore>();
        services.AddSingleton<FirstReadRecorder>();
        services.AddHostedService(provider => provider.GetRequiredService<FirstReadRecorder>());
        services.AddSingleton<FirstRead>();
        services.AddSingleton<AccountLookup>();
        services.AddSingleton<BalanceEndpoints>();
        services.AddSingleton<InitializeEndpoint>();
        services.AddSingleton<CreditChangeStore>();
        services.AddSingleton<LedgerWriter>();
        services.AddSingleton<GrantEnd>();
        services.AddSingleton<ExpiringReader>();
        services.AddSingleton<GrantEndpoints>();
        services.AddSingleton<CreditChangeEndpoints>();
        services.AddSingleton<IdempotencyKeyStore>();
        services.AddHostedService<IdempotencyPurge>();
        services.AddSingleton<LedgerStore>();
        services.AddSingleton<LedgerEndpoints>();
        services.AddSingleton<UsageSummaryStore>();
        services.AddSingleton<UsageEndpoints>();
        services.AddSingleton<TierStore>();
        services.AddSingleton<TierSwitcher>();
        services.AddSingleton<TierEndpoints>();
        services.AddSingleton<TaskEndpoints>();
        services.AddSingleton<AttributionEndpoint>();
        services.AddSingleton<ReferralEndpoints>();
        services.AddSingleton<RedeemEndpoint>();
        services.AddSingleton<CampaignEndpoints>();
        services.AddSingleton<HoldEndpoints>();
    }

    /// <summary>Maps the routes of credits, each with who may use it and what it answers.</summary>
    public static void MapCredits(this WebApplication app)
    {
        var api = app.MapApiGroup().RequireCors(BrowserAccess.Policy).WithTags("Credits");
        MapReads(api.MapGroup("/credits"), api.MapGroup("/llm"));
        MapChanges(api.MapGroup("/credits"));
        MapGrants(api.MapGroup("/credits/grants"));
        MapTasks(api.MapGroup("/credits"));
        MapCodes(api.MapGroup("/credits/codes"));
        HoldRoutes.Map(api.MapGroup("/credits/holds"), api.MapGroup("/credits/grants"));
        api.MapPost("/credits/attribution", (HttpContext http, AttributionEndpoint endpoint) => endpoint.AttributeAsync(http))
            .Answers<AttributedShape>("attribute", "Says where the caller came from, once. 200: the same was kept before.")
            .Produces<AttributedShape>(StatusCodes.Status201Created)
            .TakesJson<AttributionShape>().AnswersProblems(StatusCodes.Status409Conflict, StatusCodes.Status410Gone);
        MapReferrals(api.MapGroup("/credits/referrals"));
        api.MapGet("/admin/referrals", (HttpContext http, ReferralEndpoints endpoints) => endpoints.ListAsync(http))
            .RequireToken(CallerRoles.Admin)
            .Answers<ReferralShape[]>("listReferrals", "Referrals of the realm, the latest first.", "state", "account", "limit");
        MapTiers(api.MapGroup("/credits/tiers"));
        api.MapPost(
                "/admin/users/{id}/initialize",
                (HttpContext context, string id, InitializeEndpoint endpoint) => endpoint.InitializeAsync(context, id))
            .RequireToken(CallerRoles.Admin)
            .Answers<BalanceShape>("initializeUser", "Reads a user from Keycloak now and brings the account to that state.");
    }

    private static void MapReads(RouteGroupBuilder credits, RouteGroupBuilder llm)
    {
        string[] page = ["limit", "offset", "cursor", "transaction_type"];
        string[] time = ["start_date", "end_date"];
        credits.MapGet("/balance", (HttpContext http, string? user_id, BalanceEndpoints balances) => balances.BalanceAsync(http, user_id))
            .Answers<BalanceShape>("getBalance", "A balance. The first read opens the account.");
        llm.MapGet("/credits", (HttpContext http, string? user_id, BalanceEndpoints balances) => balances.LlmBalanceAsync(http, user_id))
            .Answers<LlmBalanceShape>("getLlmBalance", "A balance in the shape that LLM gateways read.");
        credits.MapGet(
                "/transactions", (HttpContext http, string? user_id, LedgerEndpoints ledger) => ledger.TransactionsAsync(http, user_id))
            .Answers<TransactionShape[]>("listTransactions", "The ledger, newest first.", page)
            .AnswersHeader(StatusCodes.Status200OK, LedgerEndpoints.NextCursor, "The cursor of the next page; the last page has none.");
        llm.MapGet("/credits/history", (HttpContext http, string? user_id, LedgerEndpoints ledger) => ledger.HistoryAsync(http, user_id))
            .Answers<HistoryShape>("getHistory", "The ledger with its length.", page);
        credits.MapGet("/usage/summary", (HttpContext http, string? user_id, UsageEndpoints usage) => usage.SummaryAsync(http, user_id))
            .Answers<SummaryShape>("getUsage", "Usage within a time.", time);
        credits.MapGet("/usage/by-model", (HttpContext http, string? user_id, UsageEndpoints usage) => usage.ByModelAsync(http, user_id))
            .Answers<ModelShape[]>("getUsageByModel", "Usage within a time, by model.", time);
        credits.MapGet(
                "/usage/by-service", (HttpContext http, string? user_id, UsageEndpoints usage) => usage.ByServiceAsync(http, user_id))
            .Answers<ServiceShape[]>("getUsageByService", "Usage within a time, by service.", time);
    }

    private static void MapChanges(RouteGroupBuilder credits)
    {
        credits.MapPost("/allocate", (HttpContext context, CreditChangeEndpoints changes) => changes.AllocateAsync(context))
            .RequireToken(CallerRoles.Admin)
            .Answers<BalanceShape>("allocateCredits", "Adds credits to a balance.")
            .TakesJson<AllocateShape>().TakesIdempotencyKey();
        credits.MapPost("/refund", (HttpContext context, CreditChangeEndpoints changes) => changes.RefundAsync(context))
            .RequireToken(CallerRoles.Admin)
            .Answers<BalanceShape>("refundCredits", "Gives credits back. `refunds` names the usage row that is refunded.")
            .TakesJson<RefundShape>().TakesIdempotencyKey();
        credits.MapPost("/adjust", (HttpContext context, CreditChangeEndpoints changes) => changes.AdjustAsync(context))
            .RequireToken(CallerRoles.Admin)
            .Answers<BalanceShape>(
                "adjustCredits", "Corrects a balance in either direction, also of held and closed accounts. It is not usage.")
            .TakesJson<AdjustShape>().TakesIdempotencyKey().AnswersProblems(StatusCodes.Status402PaymentRequired);
        credits.MapPost("/deduct", (HttpContext context, CreditChangeEndpoints changes) => changes.DeductAsync(context))
            .RequireToken(CallerRoles.Service, CallerRoles.Admin)
            .Answers<BalanceShape>("deductCredits", "Takes credits from a balance, never more than it has.")
            .TakesJson<DeductShape>().TakesIdempotencyKey().AnswersProblems(StatusCodes.Status402PaymentRequired);
        credits.MapPost("/usage/track", (HttpContext context, CreditChangeEndpoints changes) => changes.TrackAsync(context))
            .Answers<TrackedShape>("trackUsage", "Records usage and takes its cost unless it is free.")
            .TakesJson<TrackShape>().TakesIdempotencyKey().AnswersProblems(StatusCodes.Status402PaymentRequired);
    }

    private static void MapGrants(RouteGroupBuilder grants)
    {
        grants.MapGet("", (HttpContext http, string? user_id, GrantEndpoints endpoints) => endpoints.ListAsync(http, user_id))
            .Answers<GrantsShape>(
                "listGrants", "The grants of an account, with what is left of each and when it ends, and those that it can still earn.");
        grants.MapPatch("/{key}", (HttpContext http, string key, GrantEndpoints endpoints) => endpoints.ExtendAsync(http, key))
            .RequireToken(CallerRoles.Admin)
            .Answers<GrantShape>("extendGrant", "Moves the end of a grant, or changes its priority.")
            .TakesJson<ExtendShape>().AnswersProblems(StatusCodes.Status409Conflict);
        grants.MapPost("/{key}/void", (HttpContext http, string key, GrantEndpoints endpoints) => endpoints.VoidAsync(http, key))
            .RequireToken(CallerRoles.Admin)
            .Answers<VoidedShape>("voidGrant", "Takes back what is left of a grant, and more only where `beyond` asks for it.")
            .TakesJson<VoidShape>().AnswersProblems(StatusCodes.Status409Conflict);
    }

    private static void MapTasks(RouteGroupBuilder credits) => credits
        .MapPost(
            "/tasks/{name}/completions",
            (HttpContext context, string name, TaskEndpoints endpoints) => endpoints.CompleteAsync(context, name))
        .RequireToken(CallerRoles.Service)
        .Answers<TaskCompletionShape>("completeTask", "Reports that a user has done a task. 200: it was paid before.")
        .Produces<TaskCompletionShape>(StatusCodes.Status201Created).Produces<TaskCompletionShape>(StatusCodes.Status202Accepted)
        .TakesJson<CompleteTaskShape>().AnswersProblems(StatusCodes.Status409Conflict);

    private static void MapReferrals(RouteGroupBuilder referrals)
    {
        referrals.MapGet("", (HttpContext http, ReferralEndpoints endpoints) => endpoints.ShowOwnAsync(http))
            .Answers<ReferralsShape>("getReferrals", "The caller's own code, and how many users it brought, by state.");
        referrals.MapPost("", (HttpContext http, ReferralEndpoints endpoints) => endpoints.TouchAsync(http))
            .Named("giveReferralCode", "Takes the code of who brought the caller. The answer is the same for every code.")
            .Produces<ReferralTakenShape>(StatusCodes.Status202Accepted).AnswersProblems([400, 401, 403, 404, 429, 503])
            .TakesJson<ReferralCodeShape>();
        referrals.MapGet(
                "/{referral}",
                (HttpContext http, string referral, ReferralEndpoints endpoints) => endpoints.ShowAsync(http, referral))
            .RequireToken(CallerRoles.Admin)
            .Answers<ReferralShape>("getReferral", "A referral of the realm.");
        referrals.MapPost(
                "/{referral}/reverse",
                (HttpContext http, string referral, ReferralEndpoints endpoints) => endpoints.ReverseAsync(http, referral))
            .RequireToken(CallerRoles.Service, CallerRoles.Admin)
            .Answers<ReversedShape>(
                "reverseReferral", "Takes back what is left of what a referral paid, or cancels one that waits. Services reverse both.")
            .TakesJson<ReverseShape>().AnswersProblems(StatusCodes.Status409Conflict);
    }

    private static void MapCodes(RouteGroupBuilder codes)
    {
        codes.MapPost("/redeem", (HttpContext http, RedeemEndpoint endpoint) => endpoint.RedeemAsync(http))
            .Answers<RedeemedShape>(
                "redeemCode",
                "Redeems a code for the caller's account. 200: it paid before. 202: its place is kept until nothing is missing.")
            .Produces<RedeemedShape>(StatusCodes.Status201Created).Produces<RedeemedShape>(StatusCodes.Status202Accepted)
            .TakesJson<RedeemShape>().AnswersProblems(StatusCodes.Status409Conflict);
        codes.MapGet("", (HttpContext http, CampaignEndpoints endpoints) => endpoints.ListAsync(http))
            .RequireToken(CallerRoles.Admin)
            .Answers<CampaignShape[]>("listCampaigns", "The campaigns of the realm, with the counts of their codes.");
        codes.MapPost("", (HttpContext http, CampaignEndpoints endpoints) => endpoints.CreateAsync(http))
            .RequireToken(CallerRoles.Admin)
            .Named("createCampaign", "Makes a campaign and its codes, which are shown this once. With `Accept: text/csv` as CSV.")
            .Produces<CreatedCampaignShape>(StatusCodes.Status201Created)
            .AnswersProblems(ApiDescription.CommonProblems).AnswersProblems(StatusCodes.Status409Conflict).TakesJson<CreateCampaignShape>();
        codes.MapGet("/{name}", (HttpContext http, string name, CampaignEndpoints endpoints) => endpoints.ShowAsync(http, name))
            .RequireToken(CallerRoles.Admin)
            .Answers<CampaignCodesShape>("getCampaign", "A campaign with its codes, whose text is not known any more.");
        codes.MapPost(
                "/{name}/disable", (HttpContext http, string name, CampaignEndpoints endpoints) => endpoints.DisableAsync(http, name))
            .RequireToken(CallerRoles.Admin)
            .Answers<DisabledCodesShape>("disableCodes", "Ends redemptions of a campaign's codes, or of one. What was redeemed stays.")
            .TakesJson<DisableCodesShape>();
        codes.MapPost("/{name}/void", (HttpContext http, string name, CampaignEndpoints endpoints) => endpoints.VoidAsync(http, name))
            .RequireToken(CallerRoles.Admin)
            .Answers<VoidedCampaignShape>("voidCampaign", "Takes back what a campaign gave. Without `confirm` it counts only.")
            .TakesJson<VoidCampaignShape>().AnswersProblems(StatusCodes.Status409Conflict);
    }

    private static void MapTiers(RouteGroupBuilder tiers)
    {
        tiers.MapGet("", (TierEndpoints endpoints) => endpoints.List()).Answers<TierAnswer[]>("listTiers", "All tiers.");
        tiers.MapGet("/compare", (HttpContext http, string? user_id, TierEndpoints endpoints) => endpoints.CompareAsync(http, user_id))
            .Answers<TierComparison>("compareTiers", "All tiers, and the account's own.");
        tiers.MapPost("/switch", (HttpContext context, TierEndpoints endpoints) => endpoints.SwitchAsync(context))
            .RequireToken(CallerRoles.Admin)
            .AddEndpointFilter<RouteHandlerBuilder, TierSwitchCacheFilter>()
            .Answers<BalanceShape>("switchTier", "Switches a tier. The balance stays unless the switch is pro-rated.")
            .TakesJson<SwitchShape>().TakesIdempotencyKey();
    }
}
