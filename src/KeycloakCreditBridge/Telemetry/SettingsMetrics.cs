using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Configuration.Reload;

namespace KeycloakCreditBridge.Telemetry;

/// <summary>Whether the settings in use are those of the settings' files.</summary>
internal sealed class SettingsMetrics : IInstruments
{
    public SettingsMetrics(Meter meter, SettingsReload reload)
    {
        meter.CreateObservableGauge(
            "bridge.settings.refused", () => reload.Status.Problem is null ? 0 : 1,
            description: "1 while changed settings are refused and the old ones stay.");
        meter.CreateObservableGauge(
            "bridge.settings.waiting", () => reload.Status.Waiting.Count, "{setting}", "Settings that changed and need a restart.");
        meter.CreateObservableGauge(
            "bridge.settings.used", () => reload.Status.UsedAt.ToUnixTimeSeconds(), "s",
            "When the settings in use were read, in seconds since 1970.");
    }
}
