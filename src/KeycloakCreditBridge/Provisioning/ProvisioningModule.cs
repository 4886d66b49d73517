using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Accounts.Renames;
using KeycloakCreditBridge.Provisioning.Awards;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Referrals;
using KeycloakCreditBridge.Provisioning.Review;
using KeycloakCreditBridge.Provisioning.Subjects;
using KeycloakCreditBridge.Provisioning.Worker;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Provisioning;

internal static class ProvisioningModule
{
    public static void AddProvisioning(this IHostApplicationBuilder builder)
    {
        builder.AddSection<ProvisioningOptions, ProvisioningOptionsValidator>(ProvisioningOptions.Section);
        builder.AddHot<GrantPolicy>();
        builder.AddRule<GrantsOptions, GrantTierValidator>();
        builder.AddRule<GrantsOptions, ClaimKeyValidator>();
        builder.Services.AddSingleton(
            services => services.GetRequiredService<IOptions<ProvisioningOptions>>().Value.SignupGrant.ToKeys());
        builder.Services.AddSingleton<EvidenceNeeds>();
        builder.Services.AddSingleton<ScheduledEvaluationStore>();
        builder.Services.AddSingleton<HeldCodes>();
        builder.Services.AddSingleton<GrantReview>();
        builder.Services.AddSingleton<GrantPlanner>();
        builder.Services.AddHostedService<ScheduledEvaluations>();
        builder.Services.AddSingleton<ReferralActivation>();
        builder.Services.AddSingleton<ReferralTouch>();
        builder.Services.AddSingleton<ReferralEvaluator>();
        builder.Services.AddHostedService<ReferralEvaluations>();
        builder.Services.AddSingleton<OfferReader>();
        builder.Services.AddSingleton<SubjectReader>();
        builder.Services.AddSingleton<AccountStore>();
        builder.Services.AddSingleton<AccountReviewStore>();
        builder.Services.AddSingleton<RenameStore>();
        builder.Services.AddInstruments<ProvisioningMetrics>();
        builder.Services.AddSingleton<Provisioner>();
        builder.Services.AddSingleton<DatabaseSubjectReader>();
        builder.Services.AddSingleton<DeletedUserStore>();
        builder.Services.AddHostedService<DeletedUserPurge>();
        builder.Services.AddHostedService<ClaimPurge>();
        builder.Services.AddSingleton<HintEvaluator>();
        builder.Services.AddSingleton<HintCompletion>();
        builder.Services.AddSingleton<NewerReadingStore>();
        builder.Services.AddSingleton<HintConverger>();
        builder.Services.AddSingleton<ProvisioningWorker>();
        builder.Services.AddHostedService(services => services.GetRequiredService<ProvisioningWorker>());
    }
}
