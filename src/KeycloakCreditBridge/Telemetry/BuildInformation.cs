using System.Diagnostics.Metrics;
using System.Runtime.InteropServices;
using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Telemetry;

/// <summary>Which build this replica is, and since when it runs.</summary>
internal sealed class BuildInformation : IInstruments
{
    public BuildInformation(Meter meter, TimeProvider clock)
    {
        var started = clock.GetUtcNow().ToUnixTimeSeconds();
        meter.CreateObservableGauge(
            "bridge.build_info",
            () => new Measurement<int>(1, new("version", ProductVersion.Text), new("runtime", RuntimeInformation.FrameworkDescription)),
            description: "Always 1; the tags say which build this is.");
        meter.CreateObservableGauge("bridge.started", () => started, "s", "When this replica started, in seconds since 1970.");
    }
}
