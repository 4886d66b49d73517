using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Intake.Webhooks;
using KeycloakCreditBridge.Intake.Webhooks.Formats;
using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Intake.Broker;

/// <summary>A message as the broker delivered it.</summary>
/// <param name="Tag">Acknowledges it, on the channel that it came by.</param>
/// <param name="Key">The routing key, which names the realm.</param>
/// <param name="Body">One event as JSON.</param>
internal sealed record BrokerMessage(ulong Tag, string Key, byte[] Body)
{
    /// <summary>Whether its plugin publishes after Keycloak's transaction has committed: vymalo's does so before.</summary>
    public bool IsSentAfterCommit => Key.StartsWith("KK.", StringComparison.Ordinal);

    /// <summary>Reads the event in it.</summary>
    /// <param name="realm">The realm that its key names.</param>
    /// <param name="longest">The longest body that is read, in bytes.</param>
    /// <exception cref="MalformedDeliveryException">It can never be read.</exception>
    public (Delivery Event, UserHint? Hint) Read(RealmOptions realm, int longest)
    {
        if (Body.Length > longest)
        {
            throw new MalformedDeliveryException($"The body has {Body.Length} bytes, more than {longest}.")
            {
                Reason = RefusalReasons.TooLong,
            };
        }

        var delivery = DeliveryReader.Read(Body, Envelope.None, pinned: null);
        return (delivery, delivery.UsableHintFor(realm.Name, HintSources.Broker));
    }
}
