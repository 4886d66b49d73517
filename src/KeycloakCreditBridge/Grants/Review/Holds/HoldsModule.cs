using KeycloakCreditBridge.Grants.Review.Holds.Upkeep;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Grants.Review.Holds;

internal static class HoldsModule
{
    public static void AddHolds(this IHostApplicationBuilder builder)
    {
        builder.Services.AddInstruments<HoldMetrics>();
        builder.Services.AddSingleton<HoldBook>();
        builder.Services.AddSingleton<HoldBulk>();
        builder.Services.AddSingleton<HoldListStore>();
        builder.Services.AddHostedService<HoldBacklogGauge>();
        builder.Services.AddHostedService<HoldPurge>();
    }
}
