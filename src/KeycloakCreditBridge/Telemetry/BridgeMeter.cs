namespace KeycloakCreditBridge.Telemetry;

/// <summary>The one meter that all of the bridge's instruments belong to.</summary>
internal static class BridgeMeter
{
    public const string Name = "KeycloakCreditBridge";
}
