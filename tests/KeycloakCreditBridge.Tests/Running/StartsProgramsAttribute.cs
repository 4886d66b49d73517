namespace KeycloakCreditBridge.Tests.Running;

/// <summary>
/// The tests start programs beside PostgreSQL and Keycloak: the bridge's executable, a broker, a browser or a tool. They have the trait
/// <see cref="TestNeeds.Programs"/>.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
internal sealed class StartsProgramsAttribute : Attribute;
