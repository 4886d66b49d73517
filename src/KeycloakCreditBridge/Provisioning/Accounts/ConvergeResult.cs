using KeycloakCreditBridge.Provisioning.Accounts.Batches;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Provisioning.Accounts;

/// <summary>What became of a batch.</summary>
/// <param name="Refusals">Users whose data the database refused, with its reason.</param>
internal sealed record ConvergeResult(IReadOnlyList<AccountChange> Changes, IReadOnlyList<Refusal> Refusals)
{
    public int Opened => Changes.Count(change => change.Opened);
}

internal sealed record Refusal(DesiredState DesiredState, string Reason);
