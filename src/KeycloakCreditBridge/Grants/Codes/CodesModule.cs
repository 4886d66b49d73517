using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Grants.Codes.Campaigns;
using KeycloakCreditBridge.Grants.Codes.Redemptions;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Grants.Codes;

internal static class CodesModule
{
    public static void AddCodes(this IHostApplicationBuilder builder)
    {
        builder.AddRule<GrantsOptions, CodesOptionsValidator>();
        builder.Services.AddInstruments<CodeMetrics>();
        builder.Services.AddSingleton<CodeHasher>();
        builder.Services.AddSingleton<CampaignStore>();
        builder.Services.AddSingleton<OpenRedemptionStore>();
        builder.Services.AddSingleton<CampaignMaker>();
        builder.Services.AddSingleton<ISchemaCondition>(services => services.GetRequiredService<CampaignMaker>());
        builder.Services.AddSingleton<CampaignVoider>();
        builder.Services.AddSingleton<CodeRedeemer>();
        builder.Services.AddSingleton<HeldRedemptionStore>();
    }
}
