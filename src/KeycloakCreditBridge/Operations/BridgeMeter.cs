using System.Diagnostics.Metrics;

namespace KeycloakCreditBridge.Operations;

/// <summary>The one meter that all of the bridge's instruments belong to.</summary>
internal static class BridgeMeter
{
    public const string Name = "KeycloakCreditBridge";

    /// <summary>This host's meter; its factory disposes of it.</summary>
    public static Meter OfBridge(this IMeterFactory meters) => meters.Create(Name);
}
