using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.InUse;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Grants.Notices;
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
        builder.Services.TryAddSingleton(new GrantClock());
        builder.Services.AddInstruments<GrantsMetrics>();
        builder.Services.AddSingleton<LotBooking>();
        builder.Services.AddSingleton<GrantBook>();
        builder.Services.AddSingleton<GrantEnds>();
        builder.Services.AddSingleton<LotsInUse>();
        builder.Services.AddSingleton<ISchemaCondition>(services => services.GetRequiredService<LotsInUse>());
        builder.Services.AddSingleton<LotSweep>();
        builder.Services.AddSingleton<GrantNotices>();
        builder.Services.AddSingleton<LedgerCheckStore>();
        builder.Services.AddSingleton<SweepBacklogStore>();
        builder.Services.AddHostedService<SweepBacklogGauge>();
        builder.Services.AddSingleton<LotSweepSchedule>();
        builder.Services.AddSingleton<IScheduledJobs>(services => services.GetRequiredService<LotSweepSchedule>());
    }
}
