namespace KeycloakCreditBridge.Hosting;

internal static class HostingModule
{
    public static void AddHosting(this IHostApplicationBuilder builder)
    {
        // Less than the ten seconds that container platforms give before they kill a process.
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(8));
        builder.Services.AddSingleton<AdoptionMarkStore>();
        builder.Services.AddSingleton<LeaseStore>();
        builder.Services.AddSingleton<SchemaGate>();
        builder.Services.AddHostedService(services => services.GetRequiredService<SchemaGate>());
    }
}
