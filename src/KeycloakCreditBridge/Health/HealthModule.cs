using KeycloakCreditBridge.Health.Checks;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Health;

internal static class HealthModule
{
    private static readonly TimeSpan CheckTimeout = TimeSpan.FromSeconds(5);

    public static void AddHealth(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<HealthStore>();
        builder.Services.AddSingleton<ReadinessReport>();
        builder.Services.AddHealthChecks().AddCheck<DatabaseHealth>("database", timeout: CheckTimeout)
            .AddCheck<ScheduleHealth>("schedule", timeout: CheckTimeout).AddCheck<SettingsHealth>("settings", timeout: CheckTimeout);
        builder.Services.AddOptions<HealthCheckServiceOptions>().Configure<IOptions<KeycloakOptions>, IOptions<IntakeOptions>>(AddRealms);
        builder.Services.AddSingleton<AccessMonitor>();
        builder.Services.AddHostedService(services => services.GetRequiredService<AccessMonitor>());
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
