using KeycloakCreditBridge.Sandbox.Emulator.Http;

namespace KeycloakCreditBridge.Sandbox.Emulator.Realms;

/// <summary>The clock of the emulated server, which may be told to be wrong; delays still take their true time.</summary>
internal sealed class EmulatorClock(TimeProvider source, FaultInjector misbehaviour)
{
    public TimeProvider Source => source;

    public DateTimeOffset Now => source.GetUtcNow() + misbehaviour.ClockOffset;

    /// <summary>Milliseconds since 1970, the unit of every time in Keycloak's answers.</summary>
    public long Milliseconds => Now.ToUnixTimeMilliseconds();
}
