using System.Threading.Channels;

namespace KeycloakCreditBridge.Intake;

/// <summary>A wish that a realm be reconciled soon.</summary>
/// <param name="Reason">What may have been missed, as a sentence for the log and the run history.</param>
internal sealed record LostEvents(string Realm, string Reason);

/// <summary>Where the intake says that events were lost, and reconciliation listens.</summary>
internal sealed class LostEventsSignal
{
    // More than ever wait where somebody reads; where nobody does, only the latest are kept.
    private readonly Channel<LostEvents> _asked =
        Channel.CreateBounded<LostEvents>(new BoundedChannelOptions(1_000) { FullMode = BoundedChannelFullMode.DropOldest });

    public ChannelReader<LostEvents> Reader => _asked.Reader;

    public void Raise(string realm, string reason) => _asked.Writer.TryWrite(new LostEvents(realm, reason));
}
