using System.Reflection;

namespace KeycloakCreditBridge.Tests.Contract.Ways;

/// <summary>A test that proves a way, and the servers that it runs on.</summary>
internal sealed record CoveringTest(Type Tests, string Method)
{
    /// <summary>The trait by which a test of one server says which; without it a test runs on the emulator.</summary>
    public const string On = "On";

    public const string Emulator = "emulator";
    public const string Keycloak26_7 = "26.7";
    public const string Keycloak26_0 = "26.0";

    public MethodInfo? Found => Tests.GetMethod(Method);

    /// <summary>The servers, the newest first and the emulator last.</summary>
    public IEnumerable<string> Servers
    {
        get
        {
            if (Found?.GetCustomAttribute<EveryKeycloakAttribute>() is { } every)
                return every.SendsWebhooks ? [Keycloak26_7, Emulator] : [Keycloak26_7, Keycloak26_0, Emulator];
            var said = Found?.GetCustomAttributes<TraitAttribute>().FirstOrDefault(trait => trait.Name == On);
            return [said?.Value ?? Emulator];
        }
    }
}
