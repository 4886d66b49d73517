using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Grants.Awards;
using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Codes;
using KeycloakCreditBridge.Grants.Experiments;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.InUse;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Grants.Notices;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Referrals;
using KeycloakCreditBridge.Grants.Referrals.Listing;
using KeycloakCreditBridge.Grants.Referrals.Payments;
using KeycloakCreditBridge.Grants.Referrals.Touches;
using KeycloakCreditBridge.Grants.Review;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Grants.Sweep;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace KeycloakCreditBridge.Grants;

internal static class GrantsModule
{
    public static void AddGrants(this IHostApplicationBuilder builder)
    {
        builder.AddSection<GrantsOptions, GrantsOptionsValidator>(GrantsOptions.Section);
        builder.AddRule<GrantsOptions, PolicyOptionsValidator>();
        builder.Services.TryAddSingleton(new GrantClock());
        builder.Services.AddInstruments<GrantsMetrics>();
        builder.Services.AddInstruments<PolicyMetrics>();
        builder.Services.AddSingleton<LotBooking>();
        builder.Services.AddSingleton<GrantBook>();
        builder.Services.AddSingleton<GrantEnds>();
        builder.Services.AddSingleton<LotsInUse>();
        builder.Services.AddSingleton<ISchemaCondition>(services => services.GetRequiredService<LotsInUse>());
        builder.Services.AddSingleton<ClaimStore>();
        builder.Services.AddSingleton<AccountFactsStore>();
        builder.Services.AddSingleton<PolicyStore>();
        builder.Services.AddSingleton<PolicyApplicationStore>();
        builder.Services.AddSingleton<TaskCompletionStore>();
        builder.Services.AddSingleton<AttributionStore>();
        builder.Services.AddSingleton<PolicyActivation>();
        builder.AddRule<GrantsOptions, ReferralOptionsValidator>();
        builder.AddHot<ReferralRules>();
        builder.Services.AddInstruments<ReferralMetrics>();
        builder.Services.AddSingleton<ReferralCodeStore>();
        builder.Services.AddSingleton<TouchStore>();
        builder.Services.AddSingleton<ReferralBook>();
        builder.Services.AddSingleton<ReferralReversal>();
        builder.Services.AddSingleton<IReviewedReferrals, ReviewedReferralStore>();
        builder.Services.AddSingleton<ReferralListStore>();
        builder.AddCodes();
        builder.AddExperiments();
        builder.AddReview();
        builder.AddHolds();
        builder.Services.AddSingleton<LotSweep>();
        builder.Services.AddSingleton<GrantNotices>();
        builder.Services.AddSingleton<LedgerCheckStore>();
        builder.Services.AddSingleton<SweepBacklogStore>();
        builder.Services.AddHostedService<SweepBacklogGauge>();
        builder.Services.AddSingleton<LotSweepSchedule>();
        builder.Services.AddSingleton<IScheduledJobs>(services => services.GetRequiredService<LotSweepSchedule>());
    }
}
