using KeycloakCreditBridge.Chaos.Plans;

namespace KeycloakCreditBridge.Chaos.Faults;

/// <summary>What came of a planned fault.</summary>
/// <param name="From">When it began to have an effect.</param>
/// <param name="To">When it ended.</param>
/// <param name="Hits">How many requests or sessions it met; one that met none had no effect.</param>
/// <param name="Met">The last request or transaction that met it, where one did.</param>
internal sealed record InjectedFault(PlannedFault Plan, DateTimeOffset From, DateTimeOffset To, int Hits, string Met = "");
