using System.Threading.Channels;

namespace KeycloakCreditBridge.Intake;

/// <summary>A request that a realm be reconciled soon.</summary>
/// <param name="Reason">What may have been missed, as a sentence for the log and the run history.</param>
internal sealed record LostEvents(string Realm, string Reason);

/// <summary>The intake raises it when events were lost; reconciliation reads it.</summary>
internal sealed class LostEventsSignal
{
    // More than ever wait while reconciliation reads; where it is disabled, only the latest are kept.
    private readonly Channel<LostEvents> _requests =
        Channel.CreateBounded<LostEvents>(new BoundedChannelOptions(1_000) { FullMode = BoundedChannelFullMode.DropOldest });

    public ChannelReader<LostEvents> Reader => _requests.Reader;

    public void Raise(string realm, string reason) => _requests.Writer.TryWrite(new LostEvents(realm, reason));
}
