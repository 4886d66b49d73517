using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Grants.Review.Signals;

namespace KeycloakCreditBridge.Grants.Review;

internal static class ReviewModule
{
    public static void AddReview(this IHostApplicationBuilder builder)
    {
        builder.AddRule<GrantsOptions, FraudOptionsValidator>();
        builder.AddHot<FraudRules>();
        builder.Services.AddSingleton<Assessor>();
    }
}
