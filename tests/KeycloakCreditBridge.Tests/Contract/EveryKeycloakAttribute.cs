using System.Reflection;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using Xunit.Sdk;
using Xunit.v3;

namespace KeycloakCreditBridge.Tests.Contract;

/// <summary>Runs a theory against each kind of server.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class EveryKeycloakAttribute : DataAttribute
{
    /// <summary>Leaves out the kinds without the webhook plugin.</summary>
    public bool SendsWebhooks { get; set; }

    public override ValueTask<IReadOnlyCollection<ITheoryDataRow>> GetData(MethodInfo testMethod, DisposalTracker disposalTracker)
    {
        var kinds = Enum.GetValues<KeycloakKind>().Where(kind => !SendsWebhooks || kind != KeycloakKind.Keycloak26_0);
        return new([.. kinds.Select(kind => new TheoryDataRow<KeycloakKind>(kind))]);
    }

    public override bool SupportsDiscoveryEnumeration() => true;
}
