using System.Threading.Channels;

namespace KeycloakCreditBridge.Intake;

/// <summary>A wish that a realm be reconciled soon.</summary>
/// <param name="Reason">What may have been missed, as a sentence for the log and the run history.</param>
internal sealed record ReconciliationRequest(string Realm, string Reason);

/// <summary>Where the intake says that events were lost, and reconciliation listens.</summary>
internal sealed class ReconciliationRequests
{
    // More than ever wait where somebody reads; where nobody does, only the latest are kept.
    private readonly Channel<ReconciliationRequest> _asked =
        Channel.CreateBounded<ReconciliationRequest>(new BoundedChannelOptions(1_000) { FullMode = BoundedChannelFullMode.DropOldest });

    public ChannelReader<ReconciliationRequest> Reader => _asked.Reader;

    public void Ask(string realm, string reason) => _asked.Writer.TryWrite(new ReconciliationRequest(realm, reason));
}
