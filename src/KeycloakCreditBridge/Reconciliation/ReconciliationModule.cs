using KeycloakCreditBridge.Api;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Reconciliation.Requests;
using KeycloakCreditBridge.Reconciliation.Review;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Reconciliation.Scans;
using KeycloakCreditBridge.Reconciliation.Scans.Database;
using KeycloakCreditBridge.Reconciliation.Scans.Listing;
using KeycloakCreditBridge.Reconciliation.Scans.OutsideCreatedWindows;
using KeycloakCreditBridge.Reconciliation.Scans.Windows;
using KeycloakCreditBridge.Reconciliation.Schedule;
using KeycloakCreditBridge.Reconciliation.Tasks;
using KeycloakCreditBridge.Reconciliation.Trials;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Reconciliation;

internal static class ReconciliationModule
{
    public static void AddReconciliation(this IHostApplicationBuilder builder)
    {
        builder.AddSection<ReconciliationOptions, ReconciliationOptionsValidator>(ReconciliationOptions.Section);
        builder.Services.AddInstruments<ReconciliationMetrics>();
        builder.Services.AddSingleton<ReconcileRunStore>();
        builder.Services.AddSingleton<RunNoteStore>();
        builder.Services.AddSingleton<CompleteRunStore>();
        builder.Services.AddSingleton<RequestedRunStore>();
        builder.AddScans();
        builder.Services.AddSingleton<PolicyTrial>();
        builder.Services.AddSingleton<UndoneTaskStore>();
        builder.Services.AddSingleton<TaskReading>();
        builder.Services.AddSingleton<UserReview>();
        builder.Services.AddSingleton<SingleUserReview>();
        builder.Services.AddSingleton<AccountCloser>();
        builder.Services.AddSingleton<ScanChoice>();
        builder.Services.AddSingleton<ListThrottle>();
        builder.Services.AddSingleton<RunDueCheck>();
        builder.Services.AddSingleton<RunSteps>();
        builder.Services.AddSingleton<Reconciler>();
        builder.AddSchedule();
        builder.Services.AddSingleton<RunStarter>();
        builder.Services.AddSingleton<RunEndpoints>();
        builder.Services.AddSingleton<FailedReplay>();
        builder.Services.AddSingleton<ReplayEndpoints>();
        builder.Services.AddHostedService<WaitingRunScheduler>();
    }

    public static void MapReconciliation(this IEndpointRouteBuilder app)
    {
        var api = app.MapApiGroup();
        api.MapRuns();
        ReplayEndpoints.Map(api);
    }

    private static void AddScans(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<KnownUserStore>();
        builder.Services.AddSingleton<MissingFromScanStore>();
        builder.Services.AddSingleton<ListedUserReader>();
        builder.Services.AddSingleton<UserByIdReader>();
        builder.Services.AddSingleton<PagedListing>();
        builder.Services.AddSingleton<UserListing>();
        builder.Services.AddSingleton<WindowReader>();
        builder.Services.AddSingleton<OversizedWindow>();
        builder.Services.AddSingleton<ListScan>();
        builder.Services.AddSingleton<UnexplainedCountStore>();
        builder.Services.AddSingleton<OutsideCreatedWindowsCounter>();
        builder.Services.AddSingleton<OutsideCreatedWindowsReader>();
        builder.Services.AddSingleton<OutsideCreatedWindowsScan>();
        builder.Services.AddSingleton<WindowScan>();
        builder.Services.AddSingleton<CountScan>();
        builder.Services.AddSingleton<KnownStreamStore>();
        builder.Services.AddSingleton<RealmComparison>();
        builder.Services.AddSingleton<DatabaseScan>();
    }

    private static void AddSchedule(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<QuartzHostOptions>().Configure<IOptions<ReconciliationOptions>>((host, reconciliation) =>
        {
            host.Enabled = reconciliation.Value.Enabled;
            host.Setting = $"{ReconciliationOptions.Section}:{nameof(ReconciliationOptions.Enabled)}";
        });
        builder.Services.AddSingleton<IScheduledJobs, ReconciliationSchedule>();
        builder.Services.AddSingleton<IScheduledJobs, TaskReadingSchedule>();
        builder.Services.AddHostedService<LostEventsListener>();
    }
}
