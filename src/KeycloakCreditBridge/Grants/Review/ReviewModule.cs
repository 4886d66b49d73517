using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Grants.Review.Signals;
using KeycloakCreditBridge.Grants.Review.Signals.Addresses;
using KeycloakCreditBridge.Grants.Review.Signals.Domains;
using KeycloakCreditBridge.Grants.Review.Signals.Entries;
using KeycloakCreditBridge.Grants.Review.Signals.Hashes;
using KeycloakCreditBridge.Grants.Review.Signals.Origins;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Grants.Review;

internal static class ReviewModule
{
    public static void AddReview(this IHostApplicationBuilder builder)
    {
        builder.AddRule<GrantsOptions, FraudOptionsValidator>();
        builder.AddHot<FraudRules>();
        builder.Services.AddInstruments<SignalMetrics>();
        builder.Services.AddSingleton<SignalHasher>();
        builder.Services.AddSingleton<DisposableDomains>();
        builder.Services.AddSingleton<RegistrationStore>();
        builder.Services.AddSingleton<CommonDomains>();
        builder.Services.AddSingleton<OriginStore>();
        builder.Services.AddSingleton<OriginRecorder>();
        builder.Services.AddSingleton<OriginReader>();
        builder.Services.AddSingleton<EntryStore>();
        builder.Services.AddSingleton<Assessor>();
        builder.Services.AddHostedService<OriginPurge>();
        builder.Services.AddHostedService<RegistrationPurge>();
    }
}
