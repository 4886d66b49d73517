using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Periods;

internal static class PeriodsModule
{
    public static void AddPeriods(this IHostApplicationBuilder builder)
    {
        builder.AddSection<PeriodsOptions, PeriodsOptionsValidator>(PeriodsOptions.Section);
        builder.AddHot<PeriodRules>();
        builder.Services.AddSingleton<PeriodStore>();
        builder.Services.AddInstruments<PeriodsMetrics>();
        builder.Services.AddSingleton<PeriodReset>();
        builder.Services.AddSingleton<IScheduledJobs, PeriodSchedule>();
    }
}
