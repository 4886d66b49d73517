using Microsoft.Extensions.Hosting.Systemd;

namespace KeycloakCreditBridge.Hosting.Systemd;

/// <summary>Tells systemd, or what stands in for it, that the service is ready, alive or stopping.</summary>
internal static class SystemdModule
{
    public static void AddSystemdNotices(this IHostApplicationBuilder builder)
    {
        // The framework's own test expects systemd as the parent process, which a wrapper or a container's engine is not.
        if (Environment.GetEnvironmentVariable("NOTIFY_SOCKET") is not { Length: > 0 })
            return;
        builder.Services.AddSingleton<ISystemdNotifier, SystemdNotifier>();
        builder.Services.AddSingleton<IHostLifetime, SystemdLifetime>();
        builder.Services.AddHostedService<Watchdog>();
    }
}
