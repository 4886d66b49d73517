using KeycloakCreditBridge.Hosting.Replicas;
using KeycloakCreditBridge.Hosting.Systemd;
using Npgsql;
using Quartz;

namespace KeycloakCreditBridge.Hosting;

internal static class HostingModule
{
    public static void AddHosting(this IHostApplicationBuilder builder)
    {
        // Less than the ten seconds that container platforms give before they kill a process.
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(8));
        builder.AddSystemdNotices();
        builder.Services.AddSingleton<AdoptionMarkStore>();
        builder.Services.AddSingleton<LeaseStore>();
        builder.Services.AddSingleton<SchemaGate>();
        builder.Services.AddHostedService(services => services.GetRequiredService<SchemaGate>());
        builder.Services.AddSingleton<ReplicaHeartbeat>();
        builder.Services.AddHostedService(services => services.GetRequiredService<ReplicaHeartbeat>());
        builder.AddQuartzHost();
    }

    private static void AddQuartzHost(this IHostApplicationBuilder builder)
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
        builder.Services.AddSingleton<QuartzHost>();
        builder.Services.AddHostedService(services => services.GetRequiredService<QuartzHost>());
    }
}
