using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Accounts;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Telemetry;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Health;

internal static class HealthModule
{
    private static readonly TimeSpan CheckTimeout = TimeSpan.FromSeconds(5);

    public static void AddHealth(this IHostApplicationBuilder builder)
    {
        // Less than the ten seconds that container platforms give, so that what is left is ended by us.
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(8));
        builder.Services.AddSingleton(services => services.GetRequiredService<IMeterFactory>().Create(BridgeMeter.Name));
        builder.Services.AddSingleton<HealthStore>();
        builder.Services.AddSingleton<HintListStore>();
        builder.Services.AddSingleton<AccountViewStore>();
        builder.Services.AddSingleton<AccountFinder>();
        builder.Services.AddSingleton<PrivilegeStore>();
        builder.Services.AddHealthChecks().AddCheck<DatabaseHealth>("database", timeout: CheckTimeout);
        builder.Services.AddOptions<HealthCheckServiceOptions>().Configure<IOptions<KeycloakOptions>, IOptions<IntakeOptions>>(AddRealms);
        builder.Services.AddSingleton<MetricsCollector>();
        builder.Services.AddHostedService(services => services.GetRequiredService<MetricsCollector>());
        builder.Services.AddHostedService<HintBacklogGauge>();
        builder.Services.AddSingleton<AccessMonitor>();
        builder.Services.AddHostedService(services => services.GetRequiredService<AccessMonitor>());
    }

    public static void MapOperations(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapHealth();
        endpoints.MapGet("/metrics", (MetricsCollector metrics) =>
            TypedResults.Text(PrometheusText.Write(metrics.Collect()), PrometheusText.ContentType));
    }

    private static void AddRealms(HealthCheckServiceOptions health, IOptions<KeycloakOptions> keycloak, IOptions<IntakeOptions> intake)
    {
        foreach (var realm in keycloak.Value.Realms.Select(realm => realm.Name))
        {
            Add<KeycloakHealth>($"keycloak:{realm}", realm);
            if (intake.Value.Poll.Enabled)
                Add<PollHealth>($"poll:{realm}", realm);
        }

        void Add<T>(string name, string realm)
            where T : IHealthCheck =>
            health.Registrations.Add(new HealthCheckRegistration(
                name, services => ActivatorUtilities.CreateInstance<T>(services, realm), failureStatus: null, tags: null, CheckTimeout));
    }
}
