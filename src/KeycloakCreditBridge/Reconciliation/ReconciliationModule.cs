using KeycloakCreditBridge.Configuration;
using Npgsql;
using Quartz;

namespace KeycloakCreditBridge.Reconciliation;

internal static class ReconciliationModule
{
    public static void AddReconciliation(this IHostApplicationBuilder builder)
    {
        builder.AddSection<ReconciliationOptions, ReconciliationOptionsValidator>(ReconciliationOptions.Section);
        builder.Services.AddSingleton<ReconciliationMetrics>();
        builder.Services.AddSingleton<ReconcileRunStore>();
        builder.Services.AddSingleton<UserListing>();
        builder.Services.AddSingleton<UserReview>();
        builder.Services.AddSingleton<NamedUsers>();
        builder.Services.AddSingleton<Reconciler>();
        builder.AddSchedule();
    }

    private static void AddSchedule(this IHostApplicationBuilder builder)
    {
        builder.Services.AddQuartz(quartz =>
        {
            quartz.ConfigureScheduler(scheduler => scheduler.InstanceName = "credit-bridge");
            quartz.UsePersistentStore(store =>
            {
                store.UsePostgres(postgres => postgres.DataSourceFactory = services => services.GetRequiredService<NpgsqlDataSource>());
                store.ConfigureStore(options => options.TablePrefix = "quartz.qrtz_");
                store.UseClustering();
                store.ProvisionSchema();
            });
        });
        builder.Services.AddSingleton<ReconciliationSchedule>();
        builder.Services.AddSingleton<QuartzStarter>();
        builder.Services.AddHostedService(services => services.GetRequiredService<QuartzStarter>());
        builder.Services.AddHostedService<LossListener>();
    }
}
