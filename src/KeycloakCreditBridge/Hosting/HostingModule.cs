using KeycloakCreditBridge.Hosting.Replicas;
using KeycloakCreditBridge.Hosting.Schedule;
using KeycloakCreditBridge.Hosting.Systemd;

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
        builder.Services.AddSingleton<ScheduleStore>();
        builder.Services.AddSingleton<SchedulerBuilder>();
        builder.Services.AddSingleton<QuartzHost>();
        builder.Services.AddHostedService(services => services.GetRequiredService<QuartzHost>());
    }
}
