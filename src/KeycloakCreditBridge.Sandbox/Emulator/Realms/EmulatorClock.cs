using KeycloakCreditBridge.Sandbox.Emulator.Http;

namespace KeycloakCreditBridge.Sandbox.Emulator.Realms;

/// <summary>The clock of the emulated server, which a fault can shift; delays still take their real time.</summary>
internal sealed class EmulatorClock(TimeProvider source, FaultInjector faults)
{
    public TimeProvider Source => source;

    public DateTimeOffset Now => source.GetUtcNow() + faults.ClockOffset;

    /// <summary>Milliseconds since 1970, the unit of every time in Keycloak's answers.</summary>
    public long Milliseconds => Now.ToUnixTimeMilliseconds();
}
